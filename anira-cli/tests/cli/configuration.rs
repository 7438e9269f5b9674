//! The configurations that the repository ships and those that its documents show.

use std::path::Path;

use anira::file::ConfigFile;

use super::program::{Folder, anira, repository};
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
