//! An engine that is chosen while the program runs gives what the same engine gives that was chosen before.

use anira::backends::{AnyBackend, AnyModel};
use anira::prelude::*;
use anira_tests::zoo::{GAIN, LSTM, TCN_1K, built_in, distance};
use anira_tests::{Random, refused, valid};

#[test]
fn every_engine_of_this_build_has_its_name() {
    let names: Vec<_> = AnyBackend::ALL.iter().map(|backend| backend.name()).collect();
    assert_eq!(names[0], "bypass");
    let mut engines = names[1..].to_vec();
    let mut right = built_in();
    engines.sort_unstable();
    right.sort_unstable();
    assert_eq!(engines, right);
    for name in names {
        assert_eq!(AnyBackend::named(name).unwrap().name(), name);
    }
    refused(AnyBackend::named("abacus"), ErrorKind::NotBuilt, &["abacus", "bypass", "rten"]);
}

#[test]
fn chosen_by_name_each_gives_what_pytorch_gives() {
    let mut random = Random(3);
    for name in built_in() {
        for golden in [&GAIN, &LSTM, &TCN_1K] {
            let pool = valid(Pool::builder().threads(1).build());
            let mut handler = golden.handler(valid(AnyBackend::named(name)), pool, 1);
            let sizes: Vec<usize> = (0..50).map(|_| 1 + random.below(700)).collect();
            let got = golden.render(&mut handler, golden.samples, &sizes);
            for (got, right) in got.iter().zip(golden.output()) {
                let (far, at) = distance(got, &right[..got.len()]);
                assert!(far < 1e-5, "{} on {name}: {far} at {at}", golden.name);
            }
        }
    }
}

#[test]
fn sessions_of_one_engine_share_their_model_and_those_of_two_do_not() {
    let handler = |name| GAIN.handler(valid(AnyBackend::named(name)), Offline, 1);
    let (first, second) = (handler("rten"), handler("rten"));
    assert!(std::ptr::eq(first.model(), second.model()));
    assert!(matches!(first.model(), AnyModel::Rten(_)));
    assert!(matches!(handler("bypass").model(), AnyModel::Bypass(_)));
}
