//! `anira calibrate`: the document, the table, and mistakes. How quick and how steady the machine is must not matter.

use super::program::{Folder, anira, repository};

#[test]
fn the_document_holds_together_and_its_exit_code_says_whether_it_is_stable() {
    let model = repository("models/amp-tcn-1k.onnx");
    let done =
        anira(&["calibrate", &model, "--engine", "bypass", "--block", "100", "--seconds", "5", "--json"]);
    let json = done.json();
    assert_eq!(done.code, if json["stable"] == true { 0 } else { 2 }, "{}", done.err);
    assert_eq!(json["unstable"].is_null(), json["stable"] == true);
    let number = |name: &str| json[name].as_f64().unwrap();
    let us = ["p50_us", "p99_us", "p999_us", "max_us"].map(number);
    assert!(us.is_sorted() && us[0] > 0.0, "{us:?}");
    for (name, value) in ["p50", "p99", "p999", "max"].iter().zip(us) {
        let ends = [0, 1].map(|end| json["intervals_us"][name][end].as_f64().unwrap());
        assert!(ends[0] <= value && value <= ends[1], "{name}: {value} in {ends:?}");
    }
    // A quarter more than the longest, up to whole hundredths of a millisecond.
    let recommended = number("recommended_max_inference_ms");
    assert!(
        (us[3] * 1.25 / 1000.0 - 1e-6..us[3] * 1.25 / 1000.0 + 0.0101).contains(&recommended),
        "{recommended}"
    );
    let table = json["table"].as_array().unwrap();
    let blocks: Vec<_> = table.iter().map(|row| row["host_block"].as_u64().unwrap()).collect();
    assert_eq!(blocks, [32, 64, 100, 128, 256, 512, 1024, 2048]);
    assert_eq!(json["recommended"], table[2]);
    let allowance = number("recommended_scheduling_allowance_ms").to_string();
    for row in table.iter().filter(|row| !row["latency_samples"].is_null()) {
        let text = |name: &str| row[name].to_string();
        let (block, hop, threads) = (text("host_block"), text("hop"), text("threads"));
        let asked = anira(&[
            "latency",
            "--host-block",
            &block,
            "--sample-rate",
            "48000",
            "--hop-in",
            &hop,
            "--hop-out",
            &hop,
            "--max-inference-ms",
            &recommended.to_string(),
            "--scheduling-allowance-ms",
            &allowance,
            "--engines",
            &threads,
            "--json",
        ]);
        let latency = asked.ok().json();
        for field in ["latency_samples", "adaptation", "inference", "model", "latency_ms"] {
            assert_eq!(row[field].as_f64(), latency[field].as_f64(), "{field} of {row}");
        }
    }
}

#[test]
fn people_get_a_table() {
    let model = repository("models/amp-tcn-1k.onnx");
    let done = anira(&["calibrate", &model, "--engine", "bypass", "--seconds", "5"]);
    for words in
        ["preparation", "wake-up", "declare: max_inference_ms = ", "scheduling_allowance_ms = ", "host block"]
    {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    assert_eq!(done.out.lines().filter(|line| line.ends_with("  <-")).count(), 1, "{}", done.out);
}

#[test]
fn times_that_have_no_time_to_become_stable_say_what_and_where() {
    let model = repository("models/amp-tcn-29k.onnx");
    // At 0.1 s there is no time for 512 slots of 2048 samples on any machine.
    let done = anira(&["calibrate", &model, "--seconds", "0.1", "--json"]);
    let json = done.json();
    assert_eq!((&json["stable"], done.code), (&false.into(), 2));
    assert!(json["unstable"].as_str().unwrap().contains("at a hop of 2048"), "{json}");
    done.refused(2, &["amp-tcn-29k.onnx", "at a hop of 2048 did not become stable", "--seconds 0.1"]);
}

#[test]
fn mistakes_are_named() {
    let model = repository("models/amp-tcn-1k.onnx");
    anira(&["calibrate", &model, "--block", "0"]).refused(2, &["--block", "1 to"]);
    anira(&["calibrate", &model, "--sample-rate", "-3"]).refused(2, &["--sample-rate", "48000"]);
    anira(&["calibrate", &model, "--seconds", "0"]).refused(2, &["--seconds", "0.1"]);
    anira(&["calibrate", "no.onnx"]).refused(2, &["no.onnx"]);
    let folder = Folder::new();
    let broken = folder.write("broken.onnx", "not a model");
    anira(&["calibrate", &broken]).refused(2, &["broken.onnx"]);
    let toml = repository("models/amp-lstm-2k.toml");
    anira(&["calibrate", &toml, "--sample-rate", "12345"]).refused(2, &["sample_rate", "12345"]);
}
