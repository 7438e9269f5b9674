//! Every class of mistake in a file, and files that must survive a round trip.

use std::path::Path;
use std::time::Duration;

use anira_traits::{
    Error, ErrorKind, HopRange, InferenceConfig, InputTensor, LatePolicy, ModelSource, OutputTensor,
};

use super::ConfigFile;

const LSTM: &str = r#"
version = 1
name = "amp-lstm"
sample_rate = 48000
max_inference_ms = 0.8
scheduling_allowance_ms = 0.1
warm_up = 3
blocking_ratio = 0.25
priority = -2
max_catch_up = 6
align_outputs = true
late_policy = "hold"
late_fade = 100
pre_roll = 128
lead_in = 300
skip_silence = true

[hop_range]
from = 32
to = 512
multiple = 32
shortest_takes_ms = 0.25

[engine.rten]
file = "amp.onnx"
options = { threads = 1, exact = true, scale = 0.5, device = "cpu" }

[engine.torch]
file = "amp.pt"
[engine.torch.input.audio]
name = "x"
shape = [1, 64, 1]
layout = "NTC"
[engine.torch.output.out]
name = "y"

[[input]]
name = "audio"
role = "stream"
hop = 64
context = 0
channels = 1
layout = "NCT"
shape = [1, 1, 64]

[[input]]
name = "gain"
role = "parameter"
default = 0.5

[[input]]
name = "h_in"
role = "state"
from = "h_out"
initial = [0, 0.25]

[[input]]
name = "flag"
role = "constant"
values = true

[[output]]
name = "out"
role = "stream"
hop = 64
latency = 7
declared_latency = 400
decay = 900

[[output]]
name = "h_out"
role = "state"

[[output]]
name = "level"
role = "parameter"
"#;

/// The text between `version = 1` and the tensors, and the tensors of the smallest file.
fn small(head: &str) -> String {
    format!(
        "version = 1\n{head}\n[engine.rten]\nfile = \"m.onnx\"\n\
         [[input]]\nname = \"x\"\nrole = \"stream\"\nhop = 64\n\
         [[output]]\nname = \"y\"\nrole = \"stream\"\nhop = 64\n"
    )
}

fn resolved(text: &str) -> Result<InferenceConfig, Error> {
    ConfigFile::from_toml(text)?.resolve("rten", Path::new("")).map(|r| r.config)
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = resolved(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "`{error}` lacks `{word}`");
    }
}

/// What [`LSTM`] says for the engine `rten`, said in Rust.
fn lstm() -> InferenceConfig {
    InferenceConfig::builder()
        .input(
            InputTensor::stream("audio", 64)
                .context(0)
                .channels(1)
                .layout("NCT".parse().unwrap())
                .shape([1, 1, 64]),
        )
        .input(InputTensor::parameter("gain", [0.5]))
        .input(InputTensor::state("h_in", "h_out").initial([0.0, 0.25]))
        .input(InputTensor::constant("flag", [1.0]))
        .output(OutputTensor::stream("out", 64).latency(7).declared_latency(400).decay(900))
        .output(OutputTensor::state("h_out"))
        .output(OutputTensor::parameter("level"))
        .sample_rate(48e3)
        .max_inference(Duration::from_micros(800))
        .scheduling_allowance(Duration::from_micros(100))
        .warm_up(3)
        .blocking_ratio(0.25)
        .priority(-2)
        .max_catch_up(6)
        .align_outputs(true)
        .late_policy(LatePolicy::Hold)
        .late_fade(100)
        .pre_roll(128)
        .lead_in(300)
        .skip_silence(true)
        .hop_range(HopRange::new(32, 512).multiple(32).shortest_takes(Duration::from_micros(250)))
        .build()
        .unwrap()
}

#[test]
fn every_field_reaches_the_configuration() {
    let file = ConfigFile::from_toml(LSTM).unwrap();
    assert_eq!(file.name(), Some("amp-lstm"));
    assert_eq!(file.engines().collect::<Vec<_>>(), ["rten", "torch"]);
    let rten = file.resolve("rten", Path::new("models")).unwrap();
    assert_eq!(rten.config, lstm());
    assert_eq!(rten.source.path(), Some(Path::new("models/amp.onnx")));
    let options: Vec<_> = rten.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(options, [("device", "cpu"), ("exact", "true"), ("scale", "0.5"), ("threads", "1")]);
}

#[test]
fn an_engine_may_name_and_shape_its_tensors_differently() {
    let torch = ConfigFile::from_toml(LSTM).unwrap().resolve("torch", Path::new("/abs")).unwrap();
    let audio = &torch.config.inputs()[0];
    assert_eq!((audio.name.as_str(), audio.name_in_model()), ("audio", "x"));
    assert_eq!(audio.shape.as_deref(), Some(&[1, 64, 1][..]));
    assert_eq!(audio.layout.as_ref().unwrap().to_string(), "NTC");
    assert_eq!(torch.config.outputs()[0].name_in_model(), "y");
    assert_eq!(torch.config.outputs()[1].name_in_model(), "h_out");
    assert_eq!(torch.source.path(), Some(Path::new("/abs/amp.pt")));
}

#[test]
fn bypass_needs_no_table_of_its_own() {
    let bypass = ConfigFile::from_toml(LSTM).unwrap().resolve("bypass", Path::new("")).unwrap();
    assert!(matches!(bypass.source, ModelSource::None));
    assert_eq!(bypass.config, lstm());
}

#[test]
fn toml_json_and_rust_are_three_spellings_of_one_configuration() {
    let toml = ConfigFile::from_toml(LSTM).unwrap();
    let json = ConfigFile::from_json(&toml.to_json().unwrap()).unwrap();
    assert_eq!(json, toml);
    let again = ConfigFile::from_toml(&json.to_toml().unwrap()).unwrap();
    assert_eq!(again, toml);
    let written = ConfigFile::from_config(&lstm()).unwrap().with_engine("rten", "amp.onnx").with_name("amp");
    let read = ConfigFile::from_toml(&written.to_toml().unwrap()).unwrap();
    let read = read.resolve("rten", Path::new("d")).unwrap();
    assert_eq!(read.config, lstm());
    assert_eq!(read.source.path(), Some(Path::new("d/amp.onnx")));
}

#[test]
fn what_is_left_out_keeps_its_default() {
    let plain = InferenceConfig::builder()
        .input(InputTensor::stream("x", 64))
        .output(OutputTensor::stream("y", 64))
        .build()
        .unwrap();
    assert_eq!(resolved(&small("")).unwrap(), plain);
    let parameter = small("") + "[[input]]\nname = \"p\"\nrole = \"parameter\"\n";
    let config = resolved(&parameter).unwrap();
    assert_eq!(config.inputs()[1], InputTensor::parameter("p", [0.0]));
    let written = ConfigFile::from_config(&plain).unwrap().to_toml().unwrap();
    assert!(!written.contains("engines") && !written.contains("max_catch_up"), "{written}");
}

#[test]
fn the_version_is_asked_for_before_anything_else() {
    refused("", &["version", "missing", "version = 1"]);
    refused("surprise = 3", &["version", "missing"]);
    refused("version = 2\nsurprise = 3", &["version", "is 2", "reads 1"]);
    refused("version = \"1\"", &["version", "is \"1\""]);
    refused("version = 1.0", &["version", "is 1.0"]);
    let json = |text: &str| ConfigFile::from_json(text).unwrap_err().to_string();
    assert!(json("{}").contains("version: is missing"));
    assert!(json("[]").contains("not a JSON object"));
    assert!(json(r#"{"version": 7}"#).contains("version: is 7"));
}

#[test]
fn a_syntax_error_and_an_unknown_field_are_told_with_their_line() {
    refused("version = 1\nwarm_up = = 3", &["line 2", "warm_up = = 3"]);
    refused(&small("warmup = 3"), &["line 2", "`warmup = 3`", "unknown field `warmup`", "`warm_up`"]);
    refused(&small("warm_up = 1\nwarm_up = 2"), &["line 3", "duplicate key"]);
    let tensor = small("") + "[[input]]\nname = \"p\"\nrole = \"parameter\"\ngrain = 1\n";
    refused(&tensor, &["line 16", "`grain = 1`", "input[1].grain", "unknown field `grain`"]);
    refused(&small("[engine.x]\npath = \"a\""), &["line 3", "engine.x", "unknown field `path`", "`file`"]);
    let error = ConfigFile::from_json("{\n\"version\": 1,\n\"hop\": 3}").unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("unknown field `hop`"), "{error}");
    let error = ConfigFile::from_json("{\n\"version\": 1,\n").unwrap_err().to_string();
    assert!(error.contains("EOF"), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_line_field_and_value() {
    refused(&small("warm_up = -1"), &["line 2", "warm_up", "`-1`", "a whole number, 0 or more"]);
    refused(&small("engines = 1.5"), &["line 2", "engines", "`1.5`", "a whole number"]);
    refused(&small("sample_rate = \"48k\""), &["line 2", "sample_rate", "\"48k\"", "a number"]);
    refused(&small("name = 3"), &["line 2", "name", "`3`", "string"]);
    refused("version = 1\nengine = 3", &["line 2", "engine", "`3`", "map"]);
    let role = small("").replacen("\"stream\"", "\"steam\"", 1);
    refused(&role, &["line 7", "input[0].role", "`steam`", "`stream`", "`constant`"]);
    let shape = small("") + "shape = [1, \"n\"]";
    refused(&shape, &["line 13", "output[0].shape[1]", "\"n\"", "a whole number"]);
    let default = small("") + "[[input]]\nname = \"p\"\nrole = \"parameter\"\ndefault = [[1]]\n";
    refused(
        &default,
        &["line 16", "input[1].default", "`default = [[1]]`", "a number, true, false or a list"],
    );
    let option = small("") + "[engine.x]\nfile = \"\"\noptions = { a = [1] }";
    refused(&option, &["line 15", "engine.x.options.a", "a string, a number, true or false"]);
    refused("version = 1\n[[input]]\nrole = \"stream\"", &["line 2", "missing field `name`"]);
    let error =
        ConfigFile::from_json(r#"{"version": 1, "input": [{"name": "x", "role": "stream", "hop": -4}]}"#);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("input[0].hop") && error.contains("`-4`"), "{error}");
}

#[test]
fn a_field_belongs_to_a_role() {
    let input =
        |role: &str, rest: &str| small("") + &format!("[[input]]\nname = \"z\"\nrole = \"{role}\"\n{rest}");
    let output =
        |role: &str, rest: &str| small("") + &format!("[[output]]\nname = \"z\"\nrole = \"{role}\"\n{rest}");
    refused(&input("parameter", "hop = 3"), &["input `z`", "hop", "role `parameter`", "default"]);
    refused(&input("parameter", "values = 3"), &["input `z`", "values", "role `parameter`"]);
    refused(&input("stream", "hop = 1\nfrom = \"y\""), &["input `z`", "from", "role `stream`", "context"]);
    refused(&input("stream", "hop = 1\ninitial = 0"), &["initial", "role `stream`"]);
    refused(&input("state", "from = \"h\"\ndefault = 1"), &["default", "role `state`", "initial"]);
    refused(&input("state", "from = \"h\"\nlayout = \"T\""), &["layout", "role `state`"]);
    refused(&input("constant", "values = 1\ncontext = 1"), &["context", "role `constant`"]);
    refused(
        &output("parameter", "latency = 1"),
        &["output `z`", "latency", "role `parameter`", "leave it out"],
    );
    refused(
        &output("parameter", "declared_latency = 1"),
        &["output `z`", "declared_latency", "role `parameter`"],
    );
    refused(&output("state", "hop = 1"), &["output `z`", "hop", "role `state`"]);
    let over = input("parameter", "") + "[engine.rten.input.z]\nlayout = \"T\"";
    refused(&over, &["input `z`", "layout", "role `parameter`"]);
}

#[test]
fn what_a_role_needs_is_asked_for() {
    let tensor = |text: &str| small("") + text;
    refused(
        &tensor("[[input]]\nname = \"z\"\nrole = \"stream\""),
        &["input `z`", "hop", "missing", "hop = 512"],
    );
    refused(&tensor("[[output]]\nname = \"z\"\nrole = \"stream\""), &["output `z`", "hop", "missing"]);
    refused(&tensor("[[input]]\nname = \"z\"\nrole = \"state\""), &["input `z`", "from", "missing"]);
    refused(&tensor("[[input]]\nname = \"z\"\nrole = \"constant\""), &["input `z`", "values", "missing"]);
    refused("version = 1\n[engine.rten]\n", &["tensors", "stream"]);
}

#[test]
fn values_out_of_range_are_named() {
    refused(&small("max_inference_ms = -1.0"), &["max_inference_ms", "-1", "0 to 3600000"]);
    refused(&small("max_inference_ms = nan"), &["max_inference_ms", "NaN"]);
    refused(&small("max_inference_ms = 1e300"), &["max_inference_ms", "from 0 to"]);
    refused(&small("scheduling_allowance_ms = -0.1"), &["scheduling_allowance_ms", "-0.1", "0 to 3600000"]);
    refused(
        &small("scheduling_allowance_ms = \"often\""),
        &["scheduling_allowance_ms", "milliseconds", "auto"],
    );
    refused(&small("sample_rate = inf"), &["sample_rate", "inf"]);
    refused(&small("blocking_ratio = 1.01"), &["blocking_ratio", "1.01", "0 to 1"]);
    refused(&small("engines = 0"), &["engines", "is 0", "1 to 64"]);
    for hops in ["1025", "9223372036854775807"] {
        refused(
            &small(&format!("max_catch_up = {hops}")),
            &["max_catch_up", &format!("is {hops}"), "from 0 to 1024"],
        );
    }
    refused(&small("").replacen("hop = 64", "hop = 0", 1), &["input `x`", "hop", "is 0"]);
    refused(
        &small("").replacen("hop = 64", "hop = 64\ncontext = 9223372036854775807", 1),
        &["input `x`", "context"],
    );
    refused(&(small("") + "declared_latency = 16777217"), &["output `y`", "declared_latency", "16777217"]);
    refused(&small("late_policy = \"bypass\""), &["late_policy", "bypass", "silence", "dry", "hold"]);
    refused(&small("late_fade = 1048577"), &["late_fade", "1048577"]);
    refused(&small("pre_roll = 16777217"), &["pre_roll", "16777217"]);
    refused(&small("lead_in = 16777217"), &["lead_in", "16777217"]);
    let range = |keys: &str| small(&format!("hop_range = {{ {keys} }}"));
    refused(&range("from = 0, to = 64"), &["hop_range", "from", "is 0"]);
    refused(&range("from = 4, to = 2"), &["hop_range", "to", "is 2"]);
    refused(&range("from = 1, to = 64, multiple = 0"), &["hop_range", "multiple", "is 0"]);
    refused(&range("from = 1000, to = 2000"), &["hop_range", "1000 to 2000", "the configured hop"]);
    refused(&range("from = 1"), &["hop_range", "to"]);
    refused(&range("from = 1, to = 64, step = 2"), &["hop_range", "step"]);
    refused(&range("from = 1, to = 64, shortest_takes_ms = -1"), &["hop_range", "shortest_takes_ms", "-1"]);
    refused(&range("from = 1, to = 64, shortest_takes_ms = 1"), &["hop_range", "max_inference"]);
    refused(&(small("") + "decay = 16777217"), &["output `y`", "decay", "16777217"]);
    refused(&(small("") + "declared_latency = -1"), &["declared_latency", "a whole number, 0 or more"]);
    refused(&(small("") + "shape = [4294967296, 4294967296]"), &["output `y`", "shape", "2^31"]);
    refused(&(small("") + "layout = \"NCHW\""), &["output `y`", "layout", "NCHW", "NCT"]);
    let parameter =
        |text: &str| small("") + "[[input]]\nname = \"p\"\nrole = \"parameter\"\ndefault = " + text;
    refused(&parameter("nan"), &["input `p`", "default", "NaN"]);
    refused(&parameter("[0, inf]"), &["input `p`", "default", "inf"]);
    refused(&parameter("[]"), &["input `p`", "default", "empty"]);
}

#[test]
fn an_engine_that_the_file_lacks_is_told_with_those_it_has() {
    let file = ConfigFile::from_toml(LSTM).unwrap();
    let error = file.resolve("tflite", Path::new("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    for word in ["engine.tflite", "missing", "rten, torch", "[engine.tflite]"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    refused("version = 1", &["engine.rten", "add [engine.rten]", "file ="]);
    refused(&small("[engine.rten.input.z]"), &["engine.rten", "input.z", "not a tensor", "are: x"]);
    let over = small("") + "[engine.rten.output.x]\nname = \"z\"";
    refused(&over, &["engine.rten", "output.x", "not a tensor", "are: y"]);
    refused(&small("").replace("m.onnx", ""), &["engine.rten", "file", "empty"]);
}

#[test]
fn numbers_beyond_their_type_are_errors() {
    for field in ["warm_up", "engines", "max_catch_up", "priority"] {
        for number in ["99999999999999999999999", "1e999", "-9223372036854775808"] {
            refused(&small(&format!("{field} = {number}")), &["line 2", field]);
        }
    }
    refused(&small("engines = 0x7fffffffffffffff"), &["engines", "9223372036854775807", "from 1 to 64"]);
    for text in [r#"{"version": 1, "sample_rate": 1e999}"#, r#"{"version": 1e400}"#, r#"{"version": NaN}"#] {
        assert_eq!(ConfigFile::from_json(text).unwrap_err().kind(), ErrorKind::Config);
    }
}

#[test]
fn nesting_without_end_is_an_error_not_a_crash() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for text in [
        format!("version = 1\nname = {}", deep("[", "]")),
        format!("version = 1\nname = {}", deep("{a=", "}")),
        format!("version = 1\n{} = 1", vec!["a"; 100_000].join(".")),
        format!("version = 1\n[{}]", vec!["a"; 100_000].join(".")),
    ] {
        assert_eq!(ConfigFile::from_toml(&text).unwrap_err().kind(), ErrorKind::Config);
    }
    for text in [deep("[", "]"), format!("{{\"version\": 1, \"input\": {}}}", deep("[", "]"))] {
        assert_eq!(ConfigFile::from_json(&text).unwrap_err().kind(), ErrorKind::Config);
    }
}

#[test]
fn a_file_cut_anywhere_never_crashes() {
    let json = ConfigFile::from_toml(LSTM).unwrap().to_json().unwrap();
    for end in (0..json.len() - 1).filter(|&end| json.is_char_boundary(end)) {
        assert!(ConfigFile::from_json(&json[..end]).is_err(), "cut at {end}");
    }
    for end in 0..LSTM.len() {
        let _ = ConfigFile::from_toml(&LSTM[..end]).map(|file| file.resolve("rten", Path::new("")));
    }
}

#[test]
fn files_are_read_by_their_ending_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let json = ConfigFile::from_toml(LSTM).unwrap().to_json().unwrap();
    for path in [write("a.toml", LSTM.as_bytes()), write("b.JSON", json.as_bytes())] {
        assert_eq!(ConfigFile::read(path).unwrap().resolve("rten", Path::new("")).unwrap().config, lstm());
    }
    let error = |path: &Path| ConfigFile::read(path).unwrap_err();
    let bad = error(&write("bad.toml", b"version = 1\nhop = 3"));
    assert!(bad.to_string().contains("bad.toml: line 2"), "{bad}");
    let late = ConfigFile::read(write("late.toml", small("engines = 0").as_bytes())).unwrap();
    let late = late.resolve("rten", Path::new("")).unwrap_err();
    assert!(late.to_string().contains("late.toml: engines: is 0"), "{late}");
    let ending = error(&write("c.yaml", b""));
    assert!(ending.to_string().contains("c.yaml: ending: is `yaml`"), "{ending}");
    let bytes = error(&write("d.toml", b"version = \xff"));
    assert!(bytes.to_string().contains("not UTF-8 text from byte 10"), "{bytes}");
    let big = error(&write("e.toml", &vec![b'#'; (16 << 20) + 1]));
    assert!(big.to_string().contains("16 MiB"), "{big}");
    let missing = error(&folder.path().join("nowhere.toml"));
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("nowhere.toml"), "{missing}");
}
