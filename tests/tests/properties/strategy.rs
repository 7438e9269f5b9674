//! Cases at random.

use anira::prelude::*;
use anira_tests::twin::{Op, Scenario};
use proptest::prelude::*;

/// Small scenarios, the simplest first.
pub(crate) fn scenarios() -> impl Strategy<Value = Scenario> {
    let ratio = prop_oneof![4 => Just((1, 1)), 1 => Just((1, 2)), 1 => Just((2, 1)), 1 => Just((2, 3))];
    let model = (1usize..12, ratio, 0usize..20, 1usize..3, 1usize..3);
    let host = (1usize..20, 0u32..=100, 1usize..4, prop_oneof![Just(0u64), 2u64..9]);
    let policy = prop_oneof![Just(LatePolicy::Silence), Just(LatePolicy::Dry), Just(LatePolicy::Hold)];
    let fade = prop_oneof![Just(0usize), Just(1), Just(7), Just(64), Just(200)];
    (model, host, (policy, fade)).prop_map(|(model, host, (late_policy, late_fade))| {
        let (hop, (i, o), context, channels, lanes) = model;
        let (max_block, busy, max_catch_up, fail_every) = host;
        Scenario {
            hop_in: hop * i,
            hop_out: hop * o,
            context,
            channels,
            lanes,
            max_block,
            busy,
            max_catch_up,
            // Where hops differ there is nothing dry to hear.
            late_policy: match late_policy {
                LatePolicy::Dry if i != o => LatePolicy::Silence,
                policy => policy,
            },
            late_fade,
            fail_every,
        }
    })
}

/// Lists of what happens; most of it is callbacks and runs.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => (0usize..24).prop_map(Op::Process),
        6 => (0usize..24, 0usize..4).prop_map(|(n, runs)| Op::PushRunPop(n, runs)),
        8 => (1usize..6).prop_map(Op::Run),
        1 => (0usize..24).prop_map(Op::Silence),
        1 => (0usize..24).prop_map(Op::WrongChannels),
        1 => any::<i8>().prop_map(Op::Gain),
        1 => any::<i8>().prop_map(Op::GainFromAudio),
        1 => any::<bool>().prop_map(Op::Bypass),
        1 => Just(Op::Reset),
    ];
    proptest::collection::vec(op, 1..80)
}
