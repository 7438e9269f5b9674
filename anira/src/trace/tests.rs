use std::time::Duration;

use anira_backend_custom::{FnBackend, Inputs, Outputs};
use anira_scheduler::schedule::Spread;
use anira_traits::{DType, Signature, TensorInfo};

use super::*;
use crate::prelude::*;

const MS: u64 = 1_000_000;

/// A session whose slots run when the test says so, recorded.
fn recorded(hop: usize, block: usize, stateful: bool, seed: u64) -> (Trace, Vec<u64>) {
    let tensor = |name| vec![TensorInfo::new(name, DType::F32, [1, 1, hop].map(Some).to_vec())];
    let (mut inputs, mut outputs) = (tensor("x"), tensor("y"));
    let mut config = InferenceConfig::builder().late_fade(0).max_inference(Duration::from_micros(100));
    config = config.input(InputTensor::stream("x", hop)).output(OutputTensor::stream("y", hop));
    if stateful {
        inputs.push(TensorInfo::new("s", DType::F32, vec![Some(1)]));
        outputs.push(TensorInfo::new("t", DType::F32, vec![Some(1)]));
        config = config.input(InputTensor::state("s", "t")).output(OutputTensor::state("t"));
    }
    let backend = FnBackend::new("some", Signature { inputs, outputs }, move || {
        let mut runs = 0u32;
        move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            runs += 1;
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            if runs.is_multiple_of(17) { Err(Error::new(ErrorKind::Engine, "now and then")) } else { Ok(()) }
        }
    });
    let driven = Driven::new(1).unwrap();
    let mut driver = driven.driver();
    let builder = InferenceHandler::builder(config.build().unwrap()).backend(backend).scheduler(driven);
    let mut handler = builder.build().unwrap();
    handler.record(1 << 12);
    let host = HostConfig::fixed(48_000.0, block).block(BlockSize::Varying { min: 1, max: block });
    let Prepared { mut audio, recording, .. } = handler.prepare(&host).unwrap();
    let (mut recording, mut late) = (recording.unwrap(), Vec::new());
    let mut random = Spread::new(seed, 0, 99);
    for _ in 0..400 {
        let size = 1 + random.next_work() as usize % block;
        let mut samples = vec![1.0f32; size];
        late.push(audio.process(&mut [&mut samples[..]]).late_samples);
        let runs = if random.next_work() < 80 { 20 } else { random.next_work() % 2 };
        (0..runs).for_each(|_| _ = driver.run_one());
        if random.next_work() < 2 {
            audio.reset();
        }
        if random.next_work() < 10 {
            recording.drain();
        }
    }
    (recording.finish(), late)
}

/// What was heard late is what the replay finds late, callback by callback, whatever was dropped, reset or failed.
#[test]
fn a_replay_is_late_where_the_session_was() {
    let (mut all, mut dropped) = (0, 0);
    for (hop, block) in [(64, 64), (64, 200), (100, 32), (7, 64), (256, 96)] {
        for (stateful, seed) in [(false, 1), (true, 2), (false, 3), (true, 4)] {
            let (trace, late) = recorded(hop, block, stateful, seed);
            let replayed = replay(&trace, None).unwrap();
            let mut found = vec![0; late.len()];
            replayed.late.iter().for_each(|run| found[run.callback as usize] += run.samples);
            assert_eq!(found, late, "hop {hop}, block {block}, state {stateful}, seed {seed}");
            assert_eq!(
                (replayed.late_samples, replayed.recorded_late_samples),
                (late.iter().sum(), late.iter().sum())
            );
            let ran = |h: &Played| matches!(h.fate, Fate::Ran { .. });
            assert!(trace.lost == 0 && replayed.hops.iter().any(ran));
            all += replayed.late_samples;
            dropped += replayed.hops.iter().filter(|h| matches!(h.fate, Fate::Dropped { .. })).count();
        }
    }
    assert!(all > 1000 && dropped > 100, "{all} {dropped}");
}

/// A session that leaves out inferences at rest, with sound now and then, whose hops run in every `rare`th callback while it sounds.
fn resting(hop: usize, block: usize, rare: usize) -> (Trace, Vec<u64>) {
    let config = InferenceConfig::builder().late_fade(0).max_inference(Duration::from_micros(100));
    let config = config.input(InputTensor::stream("x", hop)).output(OutputTensor::stream("y", hop));
    let config = config.skip_silence(true).build().unwrap();
    let driven = Driven::new(1).unwrap();
    let mut driver = driven.driver();
    let mut handler = InferenceHandler::builder(config).backend(Bypass).scheduler(driven).build().unwrap();
    handler.record(1 << 12);
    let Prepared { mut audio, recording, .. } = handler.prepare(&HostConfig::fixed(48_000.0, block)).unwrap();
    let mut late = Vec::new();
    for callback in 0..200 {
        let sound = if callback % 50 < 10 { 1.0 } else { 0.0 };
        late.push(audio.process(&mut [&mut vec![sound; block][..]]).late_samples);
        if callback % 50 > 15 || callback % rare == 0 {
            while driver.run_one() {}
        }
        if callback == 120 {
            audio.reset();
        }
    }
    (recording.unwrap().finish(), late)
}

#[test]
fn hops_that_were_skipped_at_rest_are_replayed() {
    let mut all = 0;
    for (hop, block, rare) in [(64, 64, 1), (64, 64, 2), (100, 32, 5), (7, 64, 1)] {
        let (trace, late) = resting(hop, block, rare);
        let replayed = replay(&trace, None).unwrap();
        let skipped = |hop: &Played| matches!(hop.fate, Fate::Skipped { .. });
        assert!(
            replayed.hops.iter().any(skipped),
            "hop {hop}, block {block}, run in every callback of {rare}"
        );
        let mut found = vec![0; late.len()];
        replayed.late.iter().for_each(|run| found[run.callback as usize] += run.samples);
        assert_eq!(found, late, "hop {hop}, block {block}, run in every callback of {rare}");
        all += replayed.late_samples;
    }
    assert!(all > 0);
}

#[test]
fn what_finds_no_room_is_counted_and_not_replayed() {
    let config = InferenceConfig::builder().max_inference(Duration::from_millis(1));
    let config =
        config.input(InputTensor::stream("x", 64)).output(OutputTensor::stream("y", 64)).build().unwrap();
    let builder = InferenceHandler::builder(config).backend(Bypass).scheduler(Driven::new(1).unwrap());
    let mut handler = builder.build().unwrap();
    assert!(handler.prepare(&HostConfig::fixed(48_000.0, 64)).unwrap().recording.is_none());
    handler.record(4);
    let Prepared { mut audio, recording, .. } = handler.prepare(&HostConfig::fixed(48_000.0, 64)).unwrap();
    (0..2).for_each(|_| _ = audio.process(&mut [&mut [0.0f32; 64][..]]));
    let trace = recording.unwrap().finish();
    // Two callbacks with a block, a hop and an out each, and the first hop given up: of these four found room.
    assert_eq!((trace.events.len(), trace.lost), (4, 3));
    let error = replay(&trace, None).unwrap_err().to_string();
    assert!(error.starts_with("lost: is 3; 0"), "{error}");
}

/// Callbacks of 480 at 48 kHz, 10 ms each, hops of the same, one engine, 10 ms of latency: `work(n)` is from its submission to the
/// begin of hop `n`'s run, and how long that takes; `delay(k)` is by how much callback `k` comes late.
fn made(count: u64, work: impl Fn(u64) -> (u64, u64), delay: impl Fn(u64) -> u64) -> Trace {
    let header = Header {
        sample_rate: 48_000.0,
        block: 480,
        varying: false,
        hop_in: 480,
        hop_out: 480,
        engines: 1,
        latency: 480,
        zero_fill: 480,
        max_inference: 6 * MS,
        scheduling_allowance: MS,
        blocking_ppm: 0,
        max_catch_up: 4,
    };
    let (mut events, mut free) = (Vec::new(), 0);
    for n in 0..count {
        let at = 10 * MS * n + delay(n);
        events.push(Event::Block { at, samples: 480 });
        events.push(Event::Hop { at, stream: 0, hop: n, deadline: at + 10 * MS });
        events.push(Event::Out { at, samples: 480, late: 0 });
        let (wait, took) = work(n);
        let start = free.max(at) + wait;
        free = start + took;
        events.push(Event::Run { stream: 0, hop: n, worker: 3, start, end: free, ok: true });
    }
    events.sort_by_key(|event| (event.time(), !matches!(event, Event::Run { .. })));
    Trace { header, events, lost: 0 }
}

fn late(trace: &Trace) -> Vec<(u64, u64, u64, Cause)> {
    let replayed = replay(trace, None).unwrap();
    replayed.late.iter().map(|run| (run.callback, run.hop, run.samples, run.cause)).collect()
}

#[test]
fn every_cause_is_told_with_its_hop() {
    assert!(late(&made(10, |_| (0, 6 * MS), |_| 0)).is_empty());
    // A result that is there at the very moment is in time; a nanosecond later it is late.
    assert!(late(&made(10, |_| (0, 10 * MS), |_| 0)).is_empty());
    let long = |n| (0, if n == 4 { 10 * MS + 1 } else { 6 * MS });
    let took = Cause::Inference { hop: 4, took: 10 * MS + 1, declared: 6 * MS };
    assert_eq!(late(&made(10, long, |_| 0)), [(5, 4, 480, took)]);
    // 15 ms: the next one is late for it, too, and then there is time again.
    let took = Cause::Inference { hop: 4, took: 15 * MS, declared: 6 * MS };
    let both = late(&made(10, |n| (0, if n == 4 { 15 * MS } else { 6 * MS }), |_| 0));
    assert_eq!(both, [(5, 4, 480, took), (6, 5, 480, took)]);
    let start = Cause::Start { hop: 7, waited: 5 * MS, allowance: MS };
    assert_eq!(late(&made(10, |n| (if n == 7 { 5 * MS } else { 0 }, 6 * MS), |_| 0)), [(8, 7, 480, start)]);
    let jitter = Cause::Jitter { callback: 2, by: 5 * MS };
    assert_eq!(late(&made(10, |_| (0, 6 * MS), |k| if k == 2 { 5 * MS } else { 0 })), [(3, 2, 480, jitter)]);
    // What the allowance covers is no fault: 4 ms beyond it, and 4.5 ms of the callback's.
    let jitter = Cause::Jitter { callback: 7, by: 4_500_000 };
    let slow = |n| if n == 7 { (5 * MS, 6 * MS) } else { (0, 2 * MS) };
    assert_eq!(late(&made(10, slow, |k| if k == 7 { 4_500_000 } else { 0 })), [(8, 7, 480, jitter)]);
    let mut failed = made(10, |_| (0, MS), |_| 0);
    for event in &mut failed.events {
        if let Event::Run { hop: 3, ok, .. } = event {
            *ok = false;
        }
    }
    assert_eq!(late(&failed), [(4, 3, 480, Cause::Failed)]);
}

#[test]
fn hops_that_come_at_once_wait_for_each_other() {
    let mut trace = made(10, |_| (0, 6 * MS), |_| 0);
    // Two in every callback of 960; each takes as long as it may.
    trace.events.clear();
    for k in 0..8 {
        let at = 20 * MS * k;
        trace.events.push(Event::Block { at, samples: 960 });
        for hop in [2 * k, 2 * k + 1] {
            let start = if hop % 2 == 0 { at } else { at + 11 * MS };
            trace.events.push(Event::Hop { at, stream: 0, hop, deadline: at + 20 * MS });
            trace.events.push(Event::Run {
                stream: 0,
                hop,
                worker: 0,
                start,
                end: start + 11 * MS,
                ok: true,
            });
        }
        trace.events.push(Event::Out { at, samples: 960, late: 0 });
    }
    (trace.header.block, trace.header.max_inference) = (960, 11 * MS);
    trace.events.sort_by_key(Event::time);
    // Samples 480 on of each callback are those of its second hop, which ends 2 ms after the next has begun.
    (trace.header.zero_fill, trace.header.latency) = (960, 960);
    let found = late(&trace);
    assert_eq!(found[0], (1, 1, 480, Cause::Backlog { hops: 1 }));
    assert_eq!(found.last().unwrap().3, Cause::Backlog { hops: 13 }, "each delays the next: {found:?}");
}

#[test]
fn a_hop_that_nobody_answered_holds_up_those_behind_it() {
    let mut trace = made(10, |_| (0, MS), |_| 0);
    trace.events.retain(|event| !matches!(event, Event::Run { hop: 6, .. }));
    let causes: Vec<_> = late(&trace).into_iter().map(|(_, hop, _, cause)| (hop, cause)).collect();
    assert_eq!(causes, [6, 7, 8].map(|hop| (hop, Cause::NotAnswered { hop: 6 })));
}

/// Whatever numbers stand in a trace, and however long it went wrong: a replay takes as much memory and time as the trace has lines.
#[test]
fn a_replay_grows_with_the_lines_of_its_trace() {
    let mut trace = made(1, |_| (0, MS), |_| 0);
    (trace.header.hop_in, trace.header.hop_out) = (1, 1);
    trace.events = (0..8).map(|at| Event::Out { at, samples: 1 << 24, late: 0 }).collect();
    let replayed = replay(&trace, None).unwrap();
    assert_eq!((replayed.late.len(), replayed.late_samples), (8, (8 << 24) - trace.header.zero_fill));
    // Nothing was ever begun; each callback gives up the hop of the one before.
    let mut trace = made(200_000, |_| (0, MS), |_| 0);
    for event in &mut trace.events {
        if let Event::Run { stream, hop, end, .. } = *event {
            *event = Event::Drop { at: end, stream, hop };
        }
    }
    let replayed = replay(&trace, None).unwrap();
    assert_eq!((replayed.hops.len(), replayed.late.len()), (200_000, 199_999));
}

#[test]
fn two_engines_run_two_hops_at_once() {
    let mut trace = made(20, |_| (0, 6 * MS), |_| 0);
    for event in &mut trace.events {
        if let Event::Run { hop, start, end, .. } = event {
            (*start, *end) = (10 * MS * *hop, 10 * MS * *hop + 15 * MS);
        }
    }
    trace.events.sort_by_key(Event::time);
    trace.header.engines = 2;
    // Each is there for the callback after the next: half a hop too late for this latency, and none later than that.
    let found = late(&trace);
    assert_eq!(found.len(), 19);
    assert!(
        found.iter().all(|(.., cause)| matches!(cause, Cause::Inference { took, .. } if *took == 15 * MS))
    );
    (trace.header.zero_fill, trace.header.latency) = (960, 960);
    assert!(late(&trace).is_empty());
    trace.header.engines = 1;
    assert!(!late(&trace).is_empty(), "one engine cannot");
}

#[test]
fn a_seed_deals_the_same_work_out_anew() {
    let trace = made(200, |n| (0, if n % 20 == 7 { 14 * MS } else { 2 * MS }), |_| 0);
    let plain = replay(&trace, None).unwrap();
    let seeds: Vec<Replayed> = (0..5).map(|seed| replay(&trace, Some(seed)).unwrap()).collect();
    for (seed, again) in seeds.iter().enumerate() {
        assert_eq!(again, &replay(&trace, Some(seed as u64)).unwrap());
        let work = |r: &Replayed| {
            let took = |h: &Played| if let Fate::Ran { start, end, .. } = h.fate { end - start } else { 0 };
            let mut all: Vec<u64> = r.hops.iter().map(took).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(work(again), work(&plain), "the same durations, of other hops");
        let hops = |r: &Replayed| r.late.iter().map(|run| run.hop).collect::<Vec<_>>();
        assert_ne!(hops(again), hops(&plain));
        // Ten hops take too long, each makes itself late; another one in its way may be late as well.
        assert!((9..=20).contains(&again.late.len()), "{}", again.late.len());
    }
    assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn events_out_of_place_are_refused() {
    let refused = |change: &dyn Fn(&mut Trace), words: &str| {
        let mut trace = made(10, |_| (0, MS), |_| 0);
        change(&mut trace);
        let error = replay(&trace, None).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    };
    let hop = |t: &mut Trace, to: (u64, u64)| {
        let event = t.events.iter_mut().find(|e| matches!(e, Event::Hop { hop: 4, .. })).unwrap();
        *event = Event::Hop { at: event.time(), stream: to.0, hop: to.1, deadline: 0 };
    };
    refused(&|t| hop(t, (0, 5)), "hop: is 5; 4, the next one of its stream");
    refused(&|t| hop(t, (1, 4)), "stream: is 1; 0, one for every reset");
    refused(&|t| t.header.engines = 0, "engines: is 0; from 1");
    refused(&|t| t.header.zero_fill = 481, "zero_fill: is 481; from 0 to 480");
    refused(&|t| t.header.sample_rate = f64::NAN, "sample_rate: is NaN");
}

#[cfg(feature = "trace")]
mod files {
    use super::*;

    fn text(trace: &Trace) -> String {
        let mut out = Vec::new();
        trace.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Result<Trace, Error> {
        Trace::read(&mut text.as_bytes())
    }

    #[test]
    fn what_is_written_is_read() {
        let (trace, _) = recorded(7, 64, false, 1);
        assert_eq!(read(&text(&trace)).unwrap(), trace);
        assert_eq!(text(&read(&text(&trace)).unwrap()), text(&trace));
        assert!(trace.events.iter().any(|e| matches!(e, Event::Reset { .. })));
        assert!(trace.events.iter().any(|e| matches!(e, Event::Drop { .. })));
        assert!(trace.events.iter().any(|e| matches!(e, Event::Run { ok: false, .. })));
    }

    /// Any cut is noticed, at any byte; and said by its line.
    #[test]
    fn a_trace_cut_short_is_refused_wherever_it_is_cut() {
        let whole = text(&made(3, |_| (0, MS), |_| 0));
        for cut in 0..whole.len() {
            let error = read(&whole[..cut]).unwrap_err().to_string();
            let line = whole[..cut].lines().count().max(1);
            let named = [format!("line {line}: "), format!("line {}: ", line + 1)];
            assert!(named.iter().any(|line| error.starts_with(line)), "{cut}: {error}");
            assert!(cut == 0 || error.contains("cut short"), "{cut}: {error}");
        }
    }

    #[test]
    fn mistakes_are_named_with_line_field_and_value() {
        let whole = text(&made(2, |_| (0, MS), |_| 0));
        let lines: Vec<&str> = whole.lines().collect();
        for (number, from, to, words) in [
            (1, "\"anira_trace\":1", "\"anira_trace\":2", "line 1: anira_trace: is 2; 1, the version"),
            (1, "\"anira_trace\":1,", "", "line 1: anira_trace: is missing; 1"),
            (1, "\"block\":480,", "", "line 1: block: is missing; a whole number"),
            (1, "\"engines\":1", "\"engines\":0", "line 1: engines: is 0; from 1 to 1024"),
            (1, "48000", "\"fast\"", "line 1: sample_rate: is \"fast\"; a number of Hz"),
            (1, "48000", "-1", "line 1: sample_rate: is -1; from"),
            (2, "\"samples\":480", "\"samples\":-480", "line 2: samples: is -480; a whole number"),
            (2, "\"samples\":480", "\"samples\":481", "line 2: samples: is 481; at most 480"),
            (2, "\"at\":0,", "", "line 2: at: is missing; a whole number"),
            (2, "block", "blcok", "line 2: event: is \"blcok\"; one of block, hop"),
            (2, "{", "[", "line 2: line: is `[\"event\":\"block\""),
            (5, "\"end\":1000000", "\"end\":-1", "line 5: end: is -1; a whole number"),
            (5, "\"start\":0", "\"start\":2000000", "line 5: end: is 1000000; at least 2000000, the start"),
            (5, "\"ok\":true", "\"ok\":1", "line 5: ok: is 1; true or false"),
            (
                6,
                "\"at\":10000000",
                "\"at\":999999",
                "line 6: at: is 999999; at least 1000000, the time of the line before",
            ),
            (8, "\"late\":0", "\"late\":481", "line 8: late: is 481; at most 480"),
            (10, "\"events\":8", "\"events\":9", "line 10: events: is 9; 8, the lines before it"),
        ] {
            let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert!(changed[number - 1].contains(from), "{number} {from}: {}", changed[number - 1]);
            changed[number - 1] = changed[number - 1].replacen(from, to, 1);
            let error = read(&(changed.join("\n") + "\n")).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}, not {words}");
        }
        let more = read(&(whole.clone() + lines[1] + "\n")).unwrap_err().to_string();
        assert!(more.starts_with("line 11: event: is a line more"), "{more}");
        let long = read(&format!("{{\"a\":\"{}\"}}\n", "x".repeat(5000))).unwrap_err().to_string();
        assert!(long.starts_with("line 1: line: is too long"), "{long}");
        assert!(read("").unwrap_err().to_string().starts_with("line 1: header: is missing"));
    }
}
