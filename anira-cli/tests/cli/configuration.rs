//! The configurations that the repository ships and those that its documents show.

use std::path::Path;

use anira::file::ConfigFile;

use super::program::{Folder, anira, anira_in, repository};
use super::sound::{Format, read, wav};

#[test]
fn every_example_of_the_documents_is_a_valid_file() {
    let document = std::fs::read_to_string(repository("docs/configuration.md")).unwrap();
    let mut count = 0;
    for block in document.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        let file = match language {
            "toml" => ConfigFile::from_toml(text),
            "json" => ConfigFile::from_json(text),
            other => panic!("{other}"),
        };
        let file = file.unwrap_or_else(|error| panic!("{error} in {text}"));
        for engine in file.engines() {
            file.resolve(engine, Path::new("")).unwrap_or_else(|error| panic!("{error} in {text}"));
        }
        assert!(file.engines().count() > 0);
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

/// What the engine is given and gives back passes through two filters, and comes out where it was.
#[test]
fn a_model_at_another_rate_is_resampled_and_the_output_is_in_place() {
    for (rate, model) in [(48_000, 16_000.0), (44_100, 48_000.0), (48_000, 48_000.0), (16_000, 44_100.0)] {
        let folder = Folder::new();
        let (bytes, planar) = wav(Format::F32, rate, 2, 9_000);
        folder.write("in.wav", bytes);
        let streams = "[[input]]\nname = \"x\"\nrole = \"stream\"\nhop = 100\n\n[[output]]\nname = \"y\"\nrole = \"stream\"\nhop = 100\n";
        folder
            .write("copy.toml", format!("version = 1\nsample_rate = {model}\n[engine.bypass]\n\n{streams}"));
        let run = |more: &[&str]| {
            let all = ["process", "copy.toml", "in.wav", "out.wav", "--engine", "bypass", "--json"];
            anira_in(folder.path(), &[&all[..], more].concat())
        };
        if model != f64::from(rate) {
            run(&[]).refused(2, &["sample_rate", &format!("{rate} Hz"), "--resample"]);
        }
        for blocks in [&["--block", "480"][..], &["--random-blocks", "3,700"]] {
            let json = run(&[&["--resample"], blocks].concat()).ok().json();
            let (heard_rate, heard) = read(&folder.join("out.wav"));
            assert_eq!((heard_rate, heard.len(), heard[0].len()), (rate, 2, 9_000));
            let latency = &json["latency"];
            let parts = ["adaptation", "inference", "model", "padding", "resampling"];
            let sum: u64 = parts.iter().map(|part| latency[part].as_u64().unwrap()).sum();
            assert_eq!(json["latency_samples"], sum, "{json}");
            assert_eq!(latency["resampling"] == 0, model == f64::from(rate), "{json}");
            // The ends are cut off, which the filters hear.
            for (heard, right) in heard.iter().zip(&planar) {
                let off = |n: usize| (heard[n] - right[n]).abs();
                let worst = (600..8_400).map(off).fold(0.0, f32::max);
                assert!(worst < 1e-4, "{rate} Hz into {model} Hz, {blocks:?}: {worst}");
            }
        }
    }
}

#[test]
fn without_a_rate_in_the_configuration_nothing_is_resampled() {
    let folder = Folder::new();
    folder.write("in.wav", wav(Format::F32, 44_100, 1, 1_000).0);
    let streams = "[[input]]\nname = \"x\"\nrole = \"stream\"\nhop = 100\n\n[[output]]\nname = \"y\"\nrole = \"stream\"\nhop = 100\n";
    folder.write("copy.toml", format!("version = 1\n[engine.bypass]\n\n{streams}"));
    let all = ["process", "copy.toml", "in.wav", "out.wav", "--engine", "bypass", "--resample", "--json"];
    let done = anira_in(folder.path(), &all).ok();
    assert!(done.err.contains("nothing is resampled"), "{}", done.err);
    assert!(done.json()["latency"].get("resampling").is_none());
}

/// A configuration with a misspelt key lists all keys; each stands in the document's tables.
#[test]
fn every_key_is_documented() {
    let document = std::fs::read_to_string(repository("docs/configuration.md")).unwrap();
    let listed = |text: &str| {
        let error = ConfigFile::from_toml(&format!("version = 1\n{text}")).unwrap_err().to_string();
        let (_, keys) = error.split_once("expected one of").unwrap_or_else(|| panic!("{error}"));
        keys.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut keys = listed("zzz = 1");
    assert!(keys.len() >= 12, "{keys:?}");
    keys.extend(listed("[[input]]\nzzz = 1"));
    keys.extend(listed("[[output]]\nzzz = 1"));
    keys.extend(listed("[engine.rten]\nzzz = 1"));
    for key in keys {
        let forms = [key.clone(), format!("[{key}]"), format!("[[{key}]]"), format!("[{key}.NAME]")];
        let is_listed = |form: &String| document.contains(&format!("| `{form}` |"));
        assert!(forms.iter().any(is_listed), "{key} is not documented");
    }
}

/// Each model of the repository has a configuration beside it that gives what its shapes alone give.
#[test]
fn the_models_come_with_configurations() {
    let folder = Folder::new();
    let (bytes, _) = wav(Format::F32, 48_000, 1, 600);
    let (input, out) = (folder.write("in.wav", bytes), folder.join("out.wav"));
    for model in ["gain", "amp-lstm-2k", "amp-tcn-29k"] {
        let path = repository(&format!("models/{model}.toml"));
        let config = ConfigFile::read(&path).unwrap().resolve("rten", Path::new("")).unwrap().config;
        assert!(config.max_inference().is_some(), "{model} is ready for real time");
        let run = |model: &str| {
            anira(&["process", model, &input, &out]).ok();
            read(&out).1
        };
        assert!(run(&path) == run(&repository(&format!("models/{model}.onnx"))), "{model}");
    }
}
