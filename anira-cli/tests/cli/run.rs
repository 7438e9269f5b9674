//! `anira run`: one inference, arrays in and out.

use super::program::{Folder, anira, repository};
use super::sound::{difference, npy};

fn golden(model: &str, tensor: &str) -> String {
    repository(&format!("tests/golden/run/{model}/{tensor}.npy"))
}

#[test]
fn one_inference_gives_what_pytorch_gives() {
    let folder = Folder::new();
    let cases: [(&str, &[&str], &[&str]); 2] = [
        ("gain", &["input"], &["output"]),
        ("amp-lstm-2k", &["c_in", "input", "h_in"], &["output", "h_out", "c_out"]),
    ];
    for (model, inputs, outputs) in cases {
        let path = repository(&format!("models/{model}.onnx"));
        let dir = folder.join(&format!("{model}/deep"));
        let mut args = vec!["run".to_owned(), path, "--output-dir".into(), dir.clone(), "--json".into()];
        for name in inputs {
            args.extend(["--input".into(), format!("{name}={}", golden(model, name))]);
        }
        let done = anira(&args.iter().map(String::as_str).collect::<Vec<_>>()).ok();
        for (i, name) in outputs.iter().enumerate() {
            let (made, wanted) = (format!("{dir}/{name}.npy"), golden(model, name));
            assert!(difference(&npy(&made), &npy(&wanted)) <= 1e-5, "{model} {name}");
            let header = |path: &str| {
                let bytes = std::fs::read(path).unwrap();
                String::from_utf8_lossy(&bytes[10..bytes.iter().position(|b| *b == b'\n').unwrap()])
                    .trim()
                    .to_owned()
            };
            assert_eq!(header(&made), header(&wanted), "shape and type");
            let told = &done.json()["outputs"][i];
            assert_eq!((told["name"].as_str(), told["dtype"].as_str()), (Some(*name), Some("float32")));
        }
    }
}

/// On every engine of the build, by names and by places: what a .pt file does not say of types and shapes, the arrays do.
#[test]
fn every_engine_gives_what_pytorch_gives() {
    let engines = [
        ("rten", "onnx", cfg!(feature = "rten")),
        ("onnxruntime", "onnx", cfg!(feature = "onnxruntime")),
        ("torch", "pt", cfg!(feature = "torch")),
        ("tflite", "tflite", cfg!(feature = "tflite")),
        ("litert", "tflite", cfg!(feature = "litert")),
    ];
    let folder = Folder::new();
    for (engine, ending, _) in engines.into_iter().filter(|(_, _, built)| *built) {
        for (model, inputs, outputs) in [
            ("amp-lstm-2k", &["input", "h_in", "c_in"][..], &["output", "h_out", "c_out"][..]),
            // Of one channel, and so the same numbers in either layout.
            ("amp-knob-4k", &["input", "drive"], &["output"]),
            ("amp-hybrid-11k", &["input"], &["output"]),
        ] {
            let path = repository(&format!("models/{model}.{ending}"));
            for by_place in [false, true] {
                let dir = folder.join(&format!("{engine}/{model}/{by_place}"));
                let mut args =
                    vec!["run".to_owned(), path.clone(), "--engine".into(), engine.into(), "--json".into()];
                args.extend(["--output-dir".into(), dir.clone()]);
                for (i, name) in inputs.iter().enumerate() {
                    let file = laid_out(&folder, model, name, ending == "tflite");
                    let name = if by_place { format!("#{i}") } else { (*name).to_owned() };
                    args.extend(["--input".into(), format!("{name}={file}")]);
                }
                let done = anira(&args.iter().map(String::as_str).collect::<Vec<_>>()).ok();
                // A .pt file has no names for what it gives.
                let made = done.json()["outputs"].as_array().unwrap().clone();
                assert_eq!(made.len(), outputs.len());
                for (made, name) in made.iter().zip(outputs) {
                    let (got, right) = (npy(made["file"].as_str().unwrap()), npy(&golden(model, name)));
                    let apart = difference(&got, &right);
                    assert!(apart <= 1e-5, "{engine} {model} {name}: {apart}");
                    let elements = made["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
                    assert_eq!(elements.product::<u64>(), right.len() as u64);
                }
            }
        }
    }
}

/// A golden input; with the last two axes of a stream the other way round for files that have channels last.
fn laid_out(folder: &Folder, model: &str, name: &str, last: bool) -> String {
    let path = golden(model, name);
    if !last || name != "input" || model == "amp-lstm-2k" {
        return path;
    }
    let bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().position(|b| *b == b'\n').unwrap();
    let header = String::from_utf8_lossy(&bytes[10..end]).into_owned();
    let extents = header.split(['(', ')']).nth(1).unwrap().split(',').filter_map(|d| d.trim().parse().ok());
    let extents: Vec<usize> = extents.collect();
    let shape = format!("({}, {}, {})", extents[0], extents[2], extents[1]);
    assert_eq!(extents[1], 1, "one channel");
    folder.write(&format!("{model}-{name}.npy"), array("<f4", &shape, &bytes[end + 1..]))
}

/// A version 1 file of these elements.
fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn floats(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect()
}

#[test]
fn element_types_are_kept() {
    let folder = Folder::new();
    let x = folder.write("x.npy", array("<f4", "(1, 1, 32)", &floats(32)));
    let count = folder.write("n.npy", array("<i8", "(1,)", &41i64.to_le_bytes()));
    let model = repository("tests/fixtures/counter-i64.onnx");
    let (x, count) = (format!("input={x}"), format!("count_in={count}"));
    anira(&["run", &model, "--input", &x, "--input", &count, "--output-dir", &folder.join("out")]).ok();
    let bytes = std::fs::read(folder.path().join("out/count_out.npy")).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("'<i8'"));
    assert_eq!(bytes[bytes.len() - 8..], 42i64.to_le_bytes());
    let output = npy(&folder.join("out/output.npy"));
    assert_eq!(output, (0..32).map(|i| i as f32 + 41.0).collect::<Vec<_>>());

    let doubles: Vec<u8> = (0..64).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    let x = folder.write("d.npy", array("<f8", "(1, 1, 64)", &doubles));
    let model = repository("tests/fixtures/double.onnx");
    anira(&["run", &model, "--input", &format!("input={x}"), "--output-dir", &folder.join("out")]).ok();
    let bytes = std::fs::read(folder.path().join("out/output.npy")).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("'<f8'"));
    assert_eq!(bytes[bytes.len() - 8..], 31.5f64.to_le_bytes());
}

#[test]
fn open_dimensions_are_those_of_the_array() {
    let folder = Folder::new();
    let model = repository("tests/fixtures/dynamic.onnx");
    for (shape, count) in [("(1, 1, 7)", 7), ("(1, 1, 1000)", 1000)] {
        let x = folder.write("x.npy", array("<f4", shape, &floats(count)));
        anira(&["run", &model, "--input", &format!("input={x}"), "--output-dir", &folder.join("o")]).ok();
        let bytes = std::fs::read(folder.path().join("o/output.npy")).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(&format!("'shape': {shape}")));
        assert!(npy(&folder.join("o/output.npy")).iter().enumerate().all(|(i, y)| *y == 0.5 * i as f32));
    }
}

#[test]
fn arrays_that_do_not_fit_are_told() {
    let folder = Folder::new();
    let model = repository("models/amp-lstm-2k.onnx");
    let x = format!("input={}", golden("amp-lstm-2k", "input"));
    let h = format!("h_in={}", golden("amp-lstm-2k", "h_in"));
    let c = format!("c_in={}", golden("amp-lstm-2k", "c_in"));
    let refused = |inputs: &[&str], words: &[&str]| {
        let out = folder.join("out");
        let mut args = vec!["run", &model, "--output-dir", &out];
        inputs.iter().for_each(|input| args.extend(["--input", input]));
        anira(&args).refused(2, words);
    };
    refused(&[&x], &["--input", "incomplete", "h_in (float32 [1, 1, 20])", "c_in (float32 [1, 1, 20])"]);
    refused(&[], &["incomplete", "input (float32 [1, ?, 1])"]);
    refused(&[&x, &h, &c, "knob=k.npy"], &["--input", "knob", "inputs are: input", "h_in", "c_in"]);
    refused(&[&x, &x, &h, &c], &["`input`, given twice"]);
    let wrong = |contents: Vec<u8>, words: &[&str]| {
        let path = folder.write("wrong.npy", contents);
        refused(&[&x, &c, &format!("h_in={path}")], &[&["`h_in`", "wrong.npy"], words].concat());
    };
    wrong(array("<f4", "(1, 20)", &floats(20)), &["[1, 20]", "[1, 1, 20]"]);
    wrong(array("<f4", "(1, 1, 21)", &floats(21)), &["[1, 1, 21]", "[1, 1, 20]"]);
    wrong(array("<f8", "(1, 1, 20)", &[0; 160]), &["float64", "float32"]);
    wrong(array("<c8", "(1, 1, 20)", &[0; 160]), &["<c8", "float32"]);
    wrong(array("<f4", "(1, 1, 20)", &floats(19)), &["cut short", "80 bytes"]);
    wrong(b"RIFF".to_vec(), &["not an .npy"]);
    let nowhere = folder.join("nowhere.npy");
    refused(&[&x, &c, &format!("h_in={nowhere}")], &["nowhere.npy", "No such file"]);
    assert!(!folder.names().contains(&"out".to_owned()));
    if !cfg!(feature = "litert") {
        anira(&["run", &model, "--output-dir", "o", "--engine", "litert"]).refused(2, &["feature `litert`"]);
    }
}
