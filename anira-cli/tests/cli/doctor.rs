//! `anira doctor`: every engine, what workers are granted, and what to do about each lack.

use serde_json::{Value, json};

use super::program::anira;

const ENGINES: [(&str, bool); 7] = [
    ("native", cfg!(feature = "native")),
    ("rten", cfg!(feature = "rten")),
    ("onnxruntime", cfg!(feature = "onnxruntime")),
    ("torch", cfg!(feature = "torch")),
    ("tflite", cfg!(feature = "tflite")),
    ("litert", cfg!(feature = "litert")),
    ("bypass", true),
];

#[test]
fn every_engine_is_told_with_its_library_or_what_to_do() {
    let done = anira(&["doctor", "--json"]).ok();
    assert!(done.err.is_empty(), "{}", done.err);
    let json = done.json();
    let engines = json["engines"].as_array().unwrap();
    let found: Vec<_> = engines
        .iter()
        .map(|engine| (engine["name"].as_str().unwrap(), engine["built"].as_bool().unwrap()))
        .collect();
    assert_eq!(found, ENGINES);
    let advice = json["advice"].as_array().unwrap();
    for engine in engines {
        let name = engine["name"].as_str().unwrap();
        let advised = advice.iter().any(|text| text.as_str().unwrap().starts_with(&format!("{name}: ")));
        assert_eq!(advised, !engine["error"].is_null(), "{name}");
        if engine["built"] == false {
            assert!(engine["error"].is_string() && engine["library"].is_null(), "{engine}");
        } else if engine["error"].is_null() && ["rten", "bypass", "onnxruntime"].contains(&name) {
            assert!(engine["version"].as_str().is_some_and(|text| text.contains('.')), "{engine}");
        }
    }
    let lock = std::fs::read_to_string(super::program::repository("Cargo.lock")).unwrap();
    let rten = json!(engines[1]["version"]);
    assert!(lock.contains(&format!("name = \"rten\"\nversion = {rten}\n")), "{rten}");
}

#[test]
fn workers_say_what_they_were_granted() {
    let json = anira(&["doctor", "--json"]).ok().json();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(json["cores"], cores);
    let priority = &json["priority"];
    assert_eq!(priority["requested"], "realtime 40");
    let granted = priority["granted"].as_str().unwrap();
    assert!(["realtime 40", "normal"].contains(&granted), "{granted}");
    assert_eq!(granted == "normal", priority["refusal"].is_string(), "{priority}");
    let advised = json["advice"].as_array().unwrap().iter().any(|text| text.to_string().contains("rtprio"));
    assert_eq!(advised, cfg!(target_os = "linux") && granted == "normal");
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert_eq!(json["flush_to_zero"], true);
    }
    if cfg!(target_os = "linux") {
        for limit in ["realtime_priority", "realtime_us", "memory_lock_bytes"] {
            let limit = &json["limits"][limit];
            assert!(limit.is_u64() || limit == "unlimited", "{limit}");
        }
        assert!(json["machine"]["allowed_cores"].is_string());
        assert!(json["affinity"]["granted"].is_u64() || json["affinity"]["refusal"].is_string());
    }
}

#[test]
fn people_get_a_table() {
    let done = anira(&["doctor"]).ok();
    assert!(done.err.is_empty(), "{}", done.err);
    let starts = |word: &str| done.out.lines().any(|line| line.starts_with(word));
    for (engine, _) in ENGINES {
        assert!(starts(engine), "{engine} is not in {}", done.out);
    }
    for row in ["cores", "worker priority", "worker pinned", "flush-to-zero", "memory lock limit"] {
        assert!(starts(row), "{row} is not in {}", done.out);
    }
    let json = anira(&["doctor", "--json"]).ok().json();
    for advice in json["advice"].as_array().unwrap().iter().filter_map(Value::as_str) {
        assert!(done.out.contains(&format!("- {advice}\n")), "{advice} is not in {}", done.out);
    }
}

/// A library that is not there is told with its name and what to do, and is no failure of the report.
#[test]
#[cfg(feature = "onnxruntime")]
fn a_library_that_is_missing_is_told_and_is_not_fatal() {
    let missing = "no-such-folder/libonnxruntime.so";
    let json = super::program::anira_with("ORT_DYLIB_PATH", missing, &["doctor", "--json"]).ok().json();
    let engine = &json["engines"][2];
    assert_eq!(
        (&engine["built"], &engine["library"], &engine["version"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    for word in [missing, "cargo xtask native"] {
        assert!(engine["error"].as_str().unwrap().contains(word), "{engine}");
    }
}

#[test]
fn a_wrong_argument_is_the_users_mistake() {
    anira(&["doctor", "--jsno"]).refused(2, &["--jsno", "--json"]);
    anira(&["doctor", "rten"]).refused(2, &["rten"]);
    anira(&["schema", "--toml"]).refused(2, &["--toml"]);
}
