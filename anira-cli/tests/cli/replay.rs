//! `anira replay`: a click in the field becomes a test.

use super::program::{Folder, anira, repository};

/// Ten callbacks of 480 at 48 kHz; hop 4 takes 15 ms, declared are 6.
fn trace(folder: &Folder, long: u64) -> String {
    let mut lines = vec![
        r#"{"anira_trace":1,"sample_rate":48000,"block":480,"varying":false,"hop_in":480,"hop_out":480,"engines":1,"latency":480,"zero_fill":480,"max_inference_ns":6000000,"scheduling_allowance_ns":1000000,"blocking_ppm":0,"max_catch_up":4}"#
            .to_owned(),
    ];
    let mut events = Vec::new();
    let mut free = 0;
    for hop in 0..10u64 {
        let at = 10_000_000 * hop;
        let late = if long > 10_000_000 && (hop == 5 || hop == 6) { 480 } else { 0 };
        events.push((at, format!(r#"{{"event":"block","at":{at},"samples":480}}"#)));
        events.push((
            at,
            format!(r#"{{"event":"hop","at":{at},"stream":0,"hop":{hop},"deadline":{}}}"#, at + 10_000_000),
        ));
        events.push((at, format!(r#"{{"event":"out","at":{at},"samples":480,"late":{late}}}"#)));
        let start = at.max(free);
        free = start + if hop == 4 { long } else { 6_000_000 };
        events.push((free, format!(r#"{{"event":"run","stream":0,"hop":{hop},"worker":2,"start":{start},"end":{free},"ok":true}}"#)));
    }
    events.sort_by_key(|(at, _)| *at);
    let count = events.len();
    lines.extend(events.into_iter().map(|(_, line)| line));
    lines.push(format!(r#"{{"event":"end","events":{count},"lost":0}}"#));
    folder.write("click.jsonl", lines.join("\n") + "\n")
}

#[test]
fn a_late_sample_is_told_with_callback_hop_worker_and_cause() {
    let folder = Folder::new();
    let click = trace(&folder, 15_000_000);
    let done = anira(&["replay", &click, "--fail-if-late"]);
    assert_eq!((done.code, done.err.as_str()), (3, ""));
    for words in [
        "late: 960 samples, 2 times (when it was recorded: 960 samples)",
        "callback 5 at 50.000 ms lacked samples 2400 to 2879, of hop 4: the inference of hop 4 took 15.000 ms, longer than the declared 6.000 ms",
        "callback 6 at 60.000 ms lacked samples 2880 to 3359, of hop 5: the inference of hop 4 took 15.000 ms",
        "#  worker 2",
    ] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    let json = anira(&["replay", &click, "--json"]).ok().json();
    assert_eq!(
        (&json["late_samples"], &json["recorded_late_samples"], &json["hops"]),
        (&960.into(), &960.into(), &10.into())
    );
    let first = &json["late"][0];
    for (field, right) in
        [("callback", 5), ("hop", 4), ("worker", 2), ("submitted_by", 4), ("first_sample", 2400)]
    {
        assert_eq!(first[field], right, "{field}");
    }
    assert_eq!((&first["cause"], &first["end_ns"]), (&"inference".into(), &55_000_000.into()));
    assert!(
        anira(&["replay", &trace(&folder, 6_000_000), "--fail-if-late"]).ok().out.contains("late: nothing")
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = Folder::new();
    let click = trace(&folder, 15_000_000);
    let of = |seed: &str| anira(&["replay", &click, "--seed", seed, "--json"]).out;
    let seeds: Vec<String> = (0..6).map(|seed| of(&seed.to_string())).collect();
    for (seed, out) in seeds.iter().enumerate() {
        assert_eq!(out, &of(&seed.to_string()));
    }
    let late: Vec<serde_json::Value> = seeds.iter().map(|out| serde_json::from_str(out).unwrap()).collect();
    let first = |json: &serde_json::Value| json["late"][0]["hop"].clone();
    assert!(late.iter().any(|json| first(json) != first(&late[0])), "{late:?}");
}

#[test]
fn what_is_wrong_with_a_trace_is_told_with_line_field_and_value() {
    let folder = Folder::new();
    let whole = std::fs::read_to_string(trace(&folder, 6_000_000)).unwrap();
    let refused = |text: &str, words: &[&str]| {
        let bad = folder.write("bad.jsonl", text);
        anira(&["replay", &bad]).refused(2, words);
    };
    refused("", &["bad.jsonl", "line 1", "header", "missing"]);
    refused(&whole[..whole.len() / 2], &["bad.jsonl", "cut short"]);
    let lines = whole.lines().count();
    let without_end = whole.lines().take(lines - 1).map(|line| format!("{line}\n")).collect::<String>();
    refused(&without_end, &[&format!("line {lines}"), "end", "cut short"]);
    refused(&whole.replace("\"anira_trace\":1", "\"anira_trace\":7"), &["line 1", "anira_trace", "is 7"]);
    refused(&whole.replacen(",\"deadline\":10000000", "", 1), &["line 3", "deadline", "missing"]);
    refused(&whole.replacen("\"at\":10000000", "\"at\":1", 1), &["line 6", "at: is 1; at least 6000000"]);
    refused(&whole.replace("\"lost\":0", "\"lost\":3"), &["lost: is 3"]);
    anira(&["replay", "no.jsonl"]).refused(2, &["no.jsonl"]);
    anira(&["replay", "no.jsonl", "--seed", "x"]).refused(2, &["--seed"]);
}

#[test]
fn what_process_records_is_replayed() {
    let folder = Folder::new();
    let (model, sound) = (repository("models/amp-lstm-2k.toml"), repository("samples/guitar.wav"));
    let (out, click) = (folder.join("out.wav"), folder.join("click.jsonl"));
    // Offline every block waits for its results: whatever the machine does, nothing is late.
    let done = anira(&["process", &model, &sound, &out, "--engine", "bypass", "--trace", &click, "--json"])
        .ok()
        .json();
    let replayed = anira(&["replay", &click, "--json"]).ok().json();
    assert_eq!(replayed["callbacks"], done["callbacks"]);
    assert_eq!((&replayed["late_samples"], &replayed["late"]), (&0.into(), &serde_json::json!([])));
    assert!(replayed["hops"].as_u64() >= done["inferences"].as_u64());
    assert_eq!(replayed["latency_samples"], done["latency_samples"]);
}
