//! Random lists of operations on random models and hosts: the library and a plain model of the stream say the same, sample
//! for sample and count for count, also of which samples are late.

mod strategy;

use anira_tests::twin::{How, play};
use proptest::prelude::*;

use strategy::{operations, scenarios};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rendering_in_the_call(scenario in scenarios(), ops in operations()) {
        play(scenario, How::InTheCall, &ops);
    }

    #[test]
    fn rendering_that_waits(scenario in scenarios(), ops in operations()) {
        play(scenario, How::Waiting, &ops);
    }

    #[test]
    fn real_time_whatever_the_workers_do(scenario in scenarios(), ops in operations()) {
        play(scenario, How::RealTime, &ops);
    }
}
