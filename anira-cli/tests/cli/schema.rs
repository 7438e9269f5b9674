//! `anira schema`: it takes what the reader takes and refuses what the reader refuses, at the same place.

use std::path::Path;

use anira::file::ConfigFile;
use serde_json::{Value, json};

use super::program::{anira, repository};

fn schema() -> Value {
    anira(&["schema"]).ok().json()
}

/// Where the schema finds something wrong with this, as JSON pointers.
fn faults(schema: &jsonschema::Validator, file: &Value) -> Vec<String> {
    schema.iter_errors(file).map(|error| error.instance_path().to_string()).collect()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

/// As an editor reads TOML for a schema: not a number becomes null.
fn toml_value(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn it_is_a_schema_and_says_what_each_key_means() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let structs = ["ConfigFile", "EngineEntry", "Override", "InputEntry", "OutputEntry"];
    for name in structs {
        let part = if name == "ConfigFile" { &schema } else { &schema["$defs"][name] };
        assert_eq!(part["additionalProperties"], false, "{name}");
        let keys = part["properties"].as_object().unwrap();
        assert!(keys.len() > 2, "{name}");
        for (key, value) in keys {
            assert!(value["description"].as_str().is_some_and(|text| text.len() > 10), "{name}.{key}");
            if value["type"] == "integer" || value["type"] == "number" {
                let bounded = value["minimum"].is_number() && value["maximum"].is_number();
                assert!(bounded || value["const"].is_number(), "{name}.{key} has no range");
            }
        }
    }
    assert!(!schema.to_string().contains("null"));
    assert_eq!(schema["properties"]["late_fade"]["default"], 64);
    assert_eq!(schema["properties"]["max_catch_up"]["default"], 4);
    assert_eq!(schema["$defs"]["InputEntry"]["required"], json!(["name", "role"]));
}

/// What the reader takes for left out is what the schema calls the default.
#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let schema = schema();
    let plain = file("");
    let without = ConfigFile::from_toml(&plain).unwrap().resolve("rten", Path::new("")).unwrap().config;
    let mut count = 0;
    for (key, value) in schema["properties"].as_object().unwrap() {
        let Some(default) = value.get("default") else { continue };
        let text = file(&format!("{key} = {default}"));
        let with = ConfigFile::from_toml(&text).unwrap().resolve("rten", Path::new("")).unwrap().config;
        assert_eq!(with, without, "{key} = {default}");
        count += 1;
    }
    assert_eq!(count, 11);
}

#[test]
fn every_configuration_of_the_repository_is_valid() {
    let validator = validator();
    let mut count = 0;
    for entry in std::fs::read_dir(repository("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let file = toml_value(&std::fs::read_to_string(&path).unwrap());
            assert_eq!(faults(&validator, &file), [""; 0], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 3, "{count}");
    let document = std::fs::read_to_string(repository("docs/configuration.md")).unwrap();
    let mut count = 0;
    for block in document.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        let file = match language {
            "toml" => toml_value(text),
            "json" => serde_json::from_str(text).unwrap(),
            _ => continue,
        };
        assert_eq!(faults(&validator, &file), [""; 0], "{text}");
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn what_inspect_suggests_is_valid() {
    let validator = validator();
    for model in ["models/amp-lstm-2k.onnx", "models/amp-tcn-29k.onnx", "tests/fixtures/knob.onnx"] {
        let model = repository(model);
        let json = anira(&["inspect", &model, "--json"]).ok().json();
        assert_eq!(faults(&validator, &json["config"]), [""; 0], "{model}");
        let toml = anira(&["inspect", &model]).ok().out;
        assert_eq!(faults(&validator, &toml_value(&toml)), [""; 0], "{model}");
    }
}

/// The smallest file with this between its first line and its tensors.
fn file(head: &str) -> String {
    format!(
        "version = 1\n{head}\n[engine.rten]\nfile = \"m.onnx\"\n\
         [[input]]\nname = \"x\"\nrole = \"stream\"\nhop = 64\n\
         [[output]]\nname = \"y\"\nrole = \"stream\"\nhop = 64\n"
    )
}

/// The smallest file with a further tensor.
fn tensor(table: &str, role: &str, rest: &str) -> String {
    file("") + &format!("[[{table}]]\nname = \"z\"\nrole = \"{role}\"\n{rest}")
}

/// Wrong files: the text, and where the schema finds the mistake.
fn wrong() -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    let mut at = |place: &'static str, text: String| all.push((text, place));
    at("", "name = \"x\"".into());
    at("/version", file("").replace("version = 1", "version = 2"));
    at("/version", file("").replace("version = 1", "version = \"1\""));
    at("", file("warmup = 3"));
    at("", "version = 1\n[engine.rten]\nfile = \"m.onnx\"\n".into());
    for (key, values) in [
        ("name", &["3"][..]),
        ("sample_rate", &["0", "-1.0", "10000001", "\"48k\"", "nan", "inf"]),
        ("max_inference_ms", &["-0.5", "3600001", "nan", "true"]),
        ("scheduling_allowance_ms", &["-0.5", "3600001", "nan", "true", "\"always\""]),
        ("warm_up", &["-1", "100001", "1.5"]),
        ("engines", &["0", "65", "1.5", "0x7fffffffffffffff"]),
        ("blocking_ratio", &["-0.01", "1.01", "nan"]),
        ("priority", &["2147483648", "-2147483649", "1.5"]),
        ("max_catch_up", &["-1", "1025"]),
        ("align_outputs", &["1", "\"yes\""]),
        ("skip_silence", &["1", "\"yes\""]),
        ("late_policy", &["\"bypass\"", "\"Dry\"", "3"]),
        ("late_fade", &["-1", "1048577"]),
        ("pre_roll", &["-1", "16777217"]),
    ] {
        let place = Box::leak(format!("/{key}").into_boxed_str());
        for value in values {
            at(place, file(&format!("{key} = {value}")));
        }
    }
    at("/engine", "version = 1\nengine = 3\n[[input]]\nname = \"x\"\nrole = \"stream\"\nhop = 1".into());
    at("/engine/rten", file("").replace("file =", "path ="));
    at("/engine/rten/file", file("").replace("m.onnx", ""));
    at("/engine/rten/options/a", file("").replace("[[input]]", "options = { a = [1] }\n[[input]]"));
    at("/engine/rten/input/x", file("[engine.rten.input.x]\nhop = 3"));
    at("/engine/rten/input/x/layout", file("[engine.rten.input.x]\nlayout = \"NCHW\""));
    at("/engine/rten/input/x/shape/1", file("[engine.rten.input.x]\nshape = [1, 0]"));
    at("/input/0/role", file("").replacen("\"stream\"", "\"steam\"", 1));
    at("/input/0", file("").replacen("name = \"x\"\n", "", 1));
    at("/input/0", file("").replacen("role = \"stream\"\n", "", 1));
    at("/input/0/name", file("").replacen("\"x\"", "\"\"", 1));
    at("/input/0/hop", file("").replacen("hop = 64", "hop = 0", 1));
    at("/input/0/hop", file("").replacen("hop = 64", "hop = 16777217", 1));
    at("/input/0/channels", file("").replacen("hop = 64", "hop = 64\nchannels = 0", 1));
    at("/input/0/context", file("").replacen("hop = 64", "hop = 64\ncontext = -1", 1));
    at("/input/0/context", file("").replacen("hop = 64", "hop = 64\ncontext = 16777217", 1));
    at("/input/0", file("").replacen("hop = 64", "hop = 64\ngrain = 1", 1));
    at("/output/0", file("") + "grain = 1");
    for (key, value) in
        [("latency", "16777217"), ("declared_latency", "16777217"), ("decay", "16777217"), ("latency", "-1")]
    {
        let place = Box::leak(format!("/output/0/{key}").into_boxed_str());
        at(place, file("") + &format!("{key} = {value}"));
    }
    at("/output/0/shape/1", file("") + "shape = [1, \"n\"]");
    at("/output/0/shape/0", file("") + "shape = [0]");
    at("/output/0/shape/0", file("") + "shape = [2147483649]");
    at("/output/0/layout", file("") + "layout = \"NN\"");
    at("/output/0/layout", file("") + "layout = \"\"");
    at("/output/1/role", tensor("output", "constant", ""));
    // What a role needs.
    at("/input/1", tensor("input", "stream", ""));
    at("/output/1", tensor("output", "stream", ""));
    at("/input/1", tensor("input", "state", ""));
    at("/input/1", tensor("input", "constant", ""));
    // What belongs to another role.
    for (role, needs, foreign) in [
        ("stream", "hop = 1", &["default = 1", "from = \"h\"", "initial = 1", "values = 1"][..]),
        ("parameter", "", &["hop = 1", "context = 1", "channels = 1", "layout = \"T\"", "from = \"h\""]),
        ("parameter", "", &["initial = 1", "values = 1"]),
        (
            "state",
            "from = \"h\"",
            &["hop = 1", "context = 1", "channels = 1", "layout = \"T\"", "default = 1"],
        ),
        ("state", "from = \"h\"", &["values = 1"]),
        (
            "constant",
            "values = 1",
            &["hop = 1", "context = 1", "channels = 1", "layout = \"T\"", "from = \"h\""],
        ),
        ("constant", "values = 1", &["initial = 1", "default = 1"]),
    ] {
        for foreign in foreign {
            let (key, _) = foreign.split_once(' ').unwrap();
            let place = Box::leak(format!("/input/1/{key}").into_boxed_str());
            at(place, tensor("input", role, &format!("{needs}\n{foreign}")));
        }
    }
    for foreign in ["hop", "channels", "latency", "declared_latency", "decay"] {
        let place = Box::leak(format!("/output/1/{foreign}").into_boxed_str());
        at(place, tensor("output", "parameter", &format!("{foreign} = 1")));
        let state = tensor("output", "state", &format!("{foreign} = 1"));
        at(place, state + "\n[[input]]\nname = \"s\"\nrole = \"state\"\nfrom = \"z\"");
    }
    at("/output/1/layout", tensor("output", "parameter", "layout = \"T\""));
    // Values.
    for value in ["[]", "nan", "[0, inf]", "\"loud\"", "[[1]]"] {
        at("/input/1/default", tensor("input", "parameter", &format!("default = {value}")));
        at("/input/1/values", tensor("input", "constant", &format!("values = {value}")));
    }
    at("/input/1/initial", tensor("input", "state", "from = \"h\"\ninitial = [nan]"));
    at("/input/1/from", tensor("input", "state", "from = \"\""));
    at(
        "/engines",
        tensor("input", "state", "from = \"h\"").replace("version = 1", "version = 1\nengines = 2"),
    );
    all
}

#[test]
fn what_the_reader_refuses_is_refused_at_its_place() {
    let validator = validator();
    let wrong = wrong();
    assert!(wrong.len() > 100, "{}", wrong.len());
    for (text, place) in wrong {
        let read = ConfigFile::from_toml(&text).and_then(|file| file.resolve("rten", Path::new("")));
        assert!(read.is_err(), "the reader takes {text}");
        let found = faults(&validator, &toml_value(&text));
        // Within a value that may be spelt in several ways the schema cannot say which was meant.
        assert!(found.iter().any(|found| found == place), "{place} is not in {found:?} of {text}");
    }
}

/// What only the reader sees: told here so that nobody takes the schema for the whole truth.
#[test]
fn what_a_schema_cannot_see_is_left_to_the_reader() {
    let validator = validator();
    for text in [
        file("").replace("version = 1", "version = 1.0"),
        tensor("input", "parameter", "").replace("\"z\"", "\"x\""),
        file("[engine.rten.input.z]\nname = \"a\""),
        tensor("input", "state", "from = \"y\""),
        tensor("output", "state", ""),
        file("") + "shape = [65536, 65536]",
        tensor("input", "parameter", "[engine.rten.input.z]\nlayout = \"T\""),
        file("").replace("engine.rten", "engine.rtne"),
    ] {
        let read = ConfigFile::from_toml(&text).and_then(|file| file.resolve("rten", Path::new("")));
        assert!(read.is_err(), "the reader takes {text}");
        assert_eq!(faults(&validator, &toml_value(&text)), [""; 0], "{text}");
    }
}

/// As with `| head`, once that has seen enough.
#[test]
fn whoever_stops_reading_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_anira"));
    let done = program.arg("schema").stdout(writer).output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8(done.stderr).unwrap()), (Some(0), String::new()));
}
