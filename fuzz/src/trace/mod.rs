//! Traces: files of any kind to their reader and to `anira replay`, and sessions that could have been, which a replay has to find as they were.

mod session;

use std::fs;

use anira::ErrorKind;
use anira::trace::{Cause, Event, Fate, Played, Replayed, Trace, replay};
use arbitrary::{Result, Unstructured};

use session::Session;

/// What stands where a number was.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "24",
    "1024",
    "1048576",
    "16777216",
    "9223372036854775807",
    "18446744073709551615",
    "-1",
    "0.001",
    "1e9",
    "1e999",
    "null",
    "true",
];

/// Reads `data` as a trace if it begins as one does; else makes a session from it, replays it, and the same with a few faults.
///
/// # Panics
/// If the reader or the replay breaks a promise.
pub fn check(data: &[u8]) {
    if data.first() == Some(&b'{') {
        return file(data);
    }
    let mut input = Unstructured::new(data);
    let faults = input.int_in_range(0..=3u8).unwrap_or(0);
    // Bytes that run out half-way say nothing about anira.
    let Ok(places) = (0..2 * faults).map(|_| input.arbitrary()).collect::<Result<Vec<u32>>>() else { return };
    let Ok(session) = Session::of(&mut input) else { return };
    let text = session.text();
    right(&session, &text);
    let cut = places.first().map_or(0, |place| *place as usize % text.len());
    let error = Trace::read(&mut &text.as_bytes()[..cut]).expect_err("it was cut").to_string();
    assert!(cut == 0 || error.contains("cut short"), "{error}");
    let mut lines: Vec<Vec<u8>> = text.lines().map(|line| format!("{line}\n").into_bytes()).collect();
    places.chunks(2).for_each(|place| fault(&mut lines, place[0] as usize, place[1] as usize));
    file(&lines.concat());
}

/// A session is found as it was.
fn right(session: &Session, text: &str) {
    let trace = Trace::read(&mut text.as_bytes()).expect("a trace as the documentation has it");
    assert_eq!(written(&trace), text.as_bytes());
    assert_eq!(trace.events, session.events);
    let replayed = replay(&trace, None).expect("what could have been can be replayed");
    let mut late = vec![0; session.late.len()];
    replayed.late.iter().for_each(|run| late[run.callback as usize] += run.samples);
    assert_eq!(late, session.late, "samples that each callback lacked");
    assert_eq!(replayed.late_samples, replayed.recorded_late_samples);
    let mut ran = Vec::new();
    for event in &trace.events {
        if let Event::Run { stream, hop, worker, start, end, ok } = *event {
            ran.push((stream, hop, Some(worker), start, end, ok));
        }
    }
    ran.sort_unstable();
    let found = |played: &Played| match played.fate {
        Fate::Ran { start, end, worker, ok, .. } => Some((played.stream, played.hop, worker, start, end, ok)),
        _ => None,
    };
    assert_eq!(replayed.hops.iter().filter_map(found).collect::<Vec<_>>(), ran, "each ran as it did");
}

/// A file of any kind: an error that names its line, or a trace that is written and read as it was, and can be replayed or not.
fn file(data: &[u8]) {
    let late = match Trace::read(&mut &data[..]) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().starts_with("line "), "{error}");
            None
        }
        Ok(trace) => {
            let text = written(&trace);
            assert_eq!(Trace::read(&mut &text[..]).as_ref(), Ok(&trace));
            let replays = [None, Some(0), Some(u64::MAX)].map(|seed| {
                let replayed = replay(&trace, seed);
                assert_eq!(replay(&trace, seed), replayed, "the same every time");
                match &replayed {
                    Ok(replayed) => holds(&trace, replayed),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Config, "{error}"),
                }
                replayed
            });
            assert!(replays.iter().all(|replayed| replayed.is_ok() == replays[0].is_ok()));
            replays[0].as_ref().ok().map(|replayed| replayed.late_samples)
        }
    };
    let folder = tempfile::tempdir().expect("a folder for traces");
    let place = folder.path().join("click.jsonl");
    fs::write(&place, data).expect("a trace can be laid there");
    // A program takes longer than all of the above: one way for each file.
    let how = if data.len().is_multiple_of(2) { "--json" } else { "--fail-if-late" };
    let arguments = ["anira".into(), "replay".into(), place.into_os_string(), how.into()];
    let (mut out, mut log) = (Vec::new(), Vec::new());
    let code = anira_cli::run_with(arguments, &mut out, &mut log);
    let right = late.map_or(2, |late| if late > 0 && how == "--fail-if-late" { 3 } else { 0 });
    assert_eq!(code, right, "{how}: {}", String::from_utf8_lossy(&log));
}

fn written(trace: &Trace) -> Vec<u8> {
    let mut text = Vec::new();
    trace.write(&mut text).expect("memory takes all");
    text
}

/// What is so for every trace.
fn holds(trace: &Trace, replayed: &Replayed) {
    let header = &trace.header;
    let (mut outs, mut samples) = (0, 0u64);
    for event in &trace.events {
        if let Event::Out { samples: more, .. } = event {
            (outs, samples) = (outs + 1, samples + more);
        }
    }
    assert_eq!((replayed.samples, replayed.recorded_late_samples), (samples, trace.late_samples()));
    assert_eq!(replayed.late.iter().map(|run| run.samples).sum::<u64>(), replayed.late_samples);
    assert!(replayed.late_samples <= samples);
    // What a replay takes grows with the lines of the trace, whatever stands in them.
    assert!(replayed.hops.len() + replayed.callbacks.len() <= trace.events.len());
    assert!(replayed.late.len() <= replayed.hops.len() + 2 * outs);

    let mut last = (0, 0);
    for run in &replayed.late {
        assert!(run.samples > 0 && (run.stream, run.first) >= last, "in order: {run:?}");
        last = (run.stream, run.first + run.samples);
        assert!(run.callback < replayed.callbacks.len().max(1) as u64, "{run:?}");
        let hop = |sample| (sample - header.zero_fill) / header.hop_out;
        assert_eq!(hop(run.first), run.hop);
        if let Some(place) = run.place {
            let played = replayed.hops[place];
            assert_eq!((played.stream, played.hop), (run.stream, run.hop));
            assert_eq!(hop(last.1 - 1), run.hop, "samples of one hop: {run:?}");
        }
        match run.cause {
            Cause::Inference { took, declared, .. } => {
                assert!(took > declared && declared == header.max_inference, "{run:?}");
            }
            Cause::Start { waited, allowance, .. } => {
                assert!(waited > allowance && allowance == header.scheduling_allowance, "{run:?}");
            }
            Cause::Jitter { callback, by } => {
                assert!(by > 0 && callback < replayed.callbacks.len() as u64, "{run:?}");
            }
            Cause::Backlog { hops } => assert!(hops > 0, "{run:?}"),
            Cause::Failed | Cause::NotAnswered { .. } => assert!(run.place.is_some(), "{run:?}"),
            _ => {}
        }
    }

    let mut changes = Vec::new();
    for played in &replayed.hops {
        if let Fate::Ran { free, after, start, end, .. } = played.fate {
            assert!(played.submitted.max(free) <= start && start <= end, "{played:?}");
            let before = after.map_or(0, |place| match replayed.hops[place].fate {
                Fate::Ran { end, .. } => end,
                _ => unreachable!("it had the engine"),
            });
            assert_eq!(before, free, "{played:?}");
            changes.extend([(start, 1), (end, -1)].into_iter().filter(|_| start < end));
        }
    }
    // Ends come first.
    changes.sort_unstable();
    let busy = changes.iter().scan(0, |busy, (_, change)| {
        *busy += change;
        Some(*busy)
    });
    assert!(busy.max().unwrap_or(0) <= header.engines as i64, "more hops at once than engines");
}

/// Does something to the lines.
fn fault(lines: &mut Vec<Vec<u8>>, place: usize, how: usize) {
    if lines.is_empty() {
        return;
    }
    let (at, how, with) = (place % lines.len(), how % 16, how / 16);
    match how {
        0 => _ = lines.remove(at),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = with % lines.len();
            lines.swap(at, other);
        }
        3 => {
            let length = lines[at].len();
            lines[at][with % length] = (with / length) as u8;
        }
        _ => {
            let line = &mut lines[at];
            let begins = |i: &usize| line[*i].is_ascii_digit() && (*i == 0 || !line[i - 1].is_ascii_digit());
            let numbers: Vec<usize> = (0..line.len()).filter(begins).collect();
            let Some(from) = numbers.get(with % numbers.len().max(1)).copied() else { return };
            let to = from + line[from..].iter().take_while(|c| c.is_ascii_digit()).count();
            let number = NUMBERS[with / numbers.len() % NUMBERS.len()];
            line.splice(from..to, number.bytes());
        }
    }
}
