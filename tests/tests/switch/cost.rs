//! What a cross-fade costs: two engines of 2 and 5 ms at 48 kHz, hops of 512. The table of docs/living-in-a-host.md, each figure with
//! the session that plays on it and the sessions that lose samples on less.

use anira_tests::Random;

use crate::Voice;
use crate::host::{Session, session};

const HOP: usize = 512;
/// 2 and 5 ms, in samples at 48 kHz; virtual time counts in samples alone.
const TIMES: [usize; 2] = [96, 240];

/// Host block, and the latency of the longest engine alone and of both.
const ROWS: [(usize, u64, u64); 7] = [
    (64, 704, 832),
    (96, 768, 864),
    (128, 640, 768),
    (256, 512, 768),
    (480, 960, 960),
    (512, 512, 512),
    (1024, 1024, 1024),
];

/// The two engines, on so many workers, with the latency that follows or with another one.
fn two(workers: usize, told: Option<u64>) -> [Voice; 2] {
    let voice = |gain, time| Voice { told, engines: workers, ..Voice::new(HOP, gain, time) };
    [voice(1.0, TIMES[0]), voice(0.5, TIMES[1])]
}

/// Samples lost while somebody flips as he likes, some fades to their end and some not.
fn lost(session: &mut Session, block: usize) -> u64 {
    let (mut random, latency) = (Random(11), session.audio.latency(0));
    for _ in 0..40_000 / block {
        if random.below(4) == 0 {
            session.ask(random.below(2), random.below(2) == 0);
        }
        session.callback(block);
        assert_eq!(session.audio.latency(0), latency, "the latency of a session never changes");
    }
    assert!(session.control.switching().switched > 2);
    assert_eq!(session.control.telemetry().late_samples, session.late);
    session.late
}

/// What is reported for a fade of so many samples; and that with it nothing is lost, and with a sample less something is.
#[track_caller]
fn least(block: usize, fade: usize, workers: usize) -> u64 {
    let mut reported = session(&two(workers, None), fade, block);
    let latency = reported.audio.latency(0).unwrap();
    assert_eq!(
        lost(&mut reported, block),
        0,
        "blocks of {block}: late although engines took what they declared"
    );
    let mut less = session(&two(workers, Some(latency - 1)), fade, block);
    assert_eq!(less.audio.latency(0), Some(latency - 1));
    assert!(lost(&mut less, block) > 0, "blocks of {block}: {latency} is more than is needed");
    latency
}

#[test]
fn a_cut_costs_nothing_and_a_fade_the_time_of_both() {
    for (block, longest, both) in ROWS {
        let alone = session(&two(1, None)[1..], 128, block).latency();
        assert_eq!((alone as u64, least(block, 0, 1)), (longest, longest), "blocks of {block}");
        assert_eq!(least(block, 2000, 1), both, "blocks of {block}");
    }
}

#[test]
fn a_fade_on_the_latency_of_the_longest_engine_loses_samples() {
    for (block, longest, both) in ROWS {
        let mut session = session(&two(1, Some(longest)), 2000, block);
        let lost = lost(&mut session, block);
        assert_eq!(lost > 0, longest < both, "blocks of {block}: {lost} lost");
    }
}

/// Two hops at once are no help: both answers of one hop are one worker's.
#[test]
fn more_workers_do_not_make_a_fade_cheaper() {
    for (block, _, both) in ROWS {
        assert_eq!(least(block, 2000, 2), both, "blocks of {block}");
    }
}
