//! What a user may say, and what is refused.

use anira_backend_onnx::OnnxRuntime;
use anira_traits::*;

use crate::support::{Noise, all_models, request, root};

#[test]
fn memory_and_file_and_every_level_give_the_same() {
    for path in all_models() {
        let bytes = std::fs::read(&path).unwrap();
        let plain = LoadRequest::new();
        let mut variants = vec![OnnxRuntime.load(&ModelSource::file(&path), &plain)];
        let memory = ModelSource::memory(bytes);
        for level in ["none", "basic", "extended", "all"] {
            variants.push(OnnxRuntime.load(&memory, &plain.clone().option("optimize", level)));
        }
        for (name, value) in [("memory_pattern", "false"), ("deterministic", "true")] {
            variants.push(OnnxRuntime.load(&memory, &plain.clone().option(name, value)));
        }
        let entry = ("session.disable_prepacking", "1");
        variants.push(
            OnnxRuntime.load(&memory, &plain.clone().option(entry.0, entry.1).option("providers", "cpu")),
        );
        let results: Vec<Vec<f64>> = variants
            .into_iter()
            .map(|model| {
                let model = model.unwrap();
                let mut engine = model.engine(&request(model.signature(), 64)).unwrap();
                let mut noise = Noise(7);
                for i in 0..model.signature().inputs.len() {
                    let mut input = engine.input(i).unwrap();
                    (0..input.len()).for_each(|k| input.set_number(k, f64::from(noise.sample())));
                }
                engine.run().unwrap();
                let outputs = (0..model.signature().outputs.len()).map(|i| {
                    let output = engine.output(i).unwrap();
                    (0..output.len()).map(|k| output.number(k).unwrap()).collect::<Vec<_>>()
                });
                outputs.flatten().collect()
            })
            .collect();
        for other in &results[1..] {
            assert_eq!(results[0].len(), other.len());
            let near = |a: f64, b: f64| {
                (a - b).abs() < 1e-5 || a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            };
            assert!(results[0].iter().zip(other).all(|(a, b)| near(*a, *b)), "{}", path.display());
        }
    }
}

#[test]
fn an_entry_reaches_the_library() {
    // The model's only node is one that no optimiser may touch if it is named; whether the library reads the entry shows in what
    // it does with a value that it does not understand.
    let gain = ModelSource::file(root().join("models/gain.onnx"));
    let request = LoadRequest::new().option("session.x64quantprecision", "1");
    assert!(OnnxRuntime.load(&gain, &request).is_ok());
    let request = LoadRequest::new().option("session.graph_optimizations_loop_level", "not a number");
    let error = OnnxRuntime.load(&gain, &request).map(drop).unwrap_err();
    assert!(error.to_string().contains("ONNX Runtime: "), "{error}");
}

#[test]
fn other_names_and_values_are_refused_by_name() {
    let gain = ModelSource::file(root().join("models/gain.onnx"));
    let cases = [
        ("threads", "4", "reads only: optimize, providers, memory_pattern, deterministic, session."),
        ("session.intra_op.allow_spinning", "1", "reads only: "),
        ("session.no_such_entry", "1", "reads only: "),
        ("optimize", "true", "`true`; `none`, `basic`, `extended` or `all`"),
        ("memory_pattern", "1", "`1`; `true` or `false`"),
        ("deterministic", "yes", "`yes`; `true` or `false`"),
        ("providers", "gpu", "`gpu`; one or more, separated by commas, of cpu, cuda"),
        ("providers", "", "``; one or more"),
    ];
    for (name, value, words) in cases {
        let error = OnnxRuntime.load(&gain, &LoadRequest::new().option(name, value)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert_eq!(error.field(), Some(format!("options.{name}").as_str()));
        assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
    }
}

#[test]
fn a_provider_that_is_not_there_is_told_and_not_replaced() {
    let gain = ModelSource::file(root().join("models/gain.onnx"));
    for (name, built) in [("cuda", cfg!(feature = "cuda")), ("xnnpack", cfg!(feature = "xnnpack"))] {
        let request = LoadRequest::new().option("providers", format!("{name}, cpu"));
        let error = OnnxRuntime.load(&gain, &request).map(drop).unwrap_err();
        let (kind, words) = if built {
            (ErrorKind::Unsupported, "ONNX Runtime: ".to_owned())
        } else {
            (ErrorKind::NotBuilt, format!("feature `{name}` of anira-backend-onnx"))
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&words), "{error}");
        assert_eq!(error.field(), Some("options.providers"));
    }
}
