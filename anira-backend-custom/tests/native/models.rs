//! The project's own models, from their ONNX files, against what PyTorch made of them.

use std::path::{Path, PathBuf};

use anira_backend_custom::native::{Native, NativeEngine, NativeModel};
use anira_traits::*;

/// Name, past samples, channels, parameter.
const STREAMS: [(&str, usize, usize, &[f32]); 6] = [
    ("gain", 0, 1, &[]),
    ("amp-tcn-1k", 132, 1, &[]),
    ("amp-tcn-15k", 1_332, 1, &[]),
    ("amp-tcn-29k", 13_332, 1, &[]),
    ("amp-stereo-4k", 1_332, 2, &[]),
    ("amp-knob-4k", 1_332, 1, &[0.8]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The float32 numbers of an .npy file of version 1.
fn npy(path: &str) -> Vec<f32> {
    let bytes =
        std::fs::read(root().join("tests/golden").join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[10 + header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn load(name: &str, simd: &str) -> NativeModel {
    let source = ModelSource::file(root().join(format!("models/{name}.onnx")));
    // For a session: the time of its streams is open.
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", 64))
        .output(OutputTensor::stream("output", 64))
        .build()
        .unwrap();
    Native.load(&source, &LoadRequest::new().option("simd", simd).config(config)).unwrap()
}

/// An engine for streams of so many samples in and out; other tensors as the model has them.
fn engine(model: &NativeModel, channels: usize, times: usize, hop: usize) -> NativeEngine {
    let mut inputs = vec![vec![1, channels, times]];
    inputs.extend(model.signature().inputs[1..].iter().map(|_| vec![1]));
    model.engine(&EngineRequest::new(inputs, vec![Some(vec![1, channels, hop])])).unwrap()
}

fn set(engine: &mut NativeEngine, input: usize, values: &[f32]) {
    engine.input(input).unwrap().f32_mut().unwrap().copy_from_slice(values);
}

fn output(engine: &NativeEngine, output: usize) -> Vec<f32> {
    engine.output(output).unwrap().f32().unwrap().to_vec()
}

#[track_caller]
fn near(made: &[f32], right: &[f32], tolerance: f32, what: &str) {
    assert_eq!(made.len(), right.len(), "{what}");
    let peak = right.iter().fold(0.0f32, |m, x| x.abs().max(m));
    for (at, (a, b)) in made.iter().zip(right).enumerate() {
        assert!((a - b).abs() <= tolerance * peak.max(1.0), "{what}: sample {at} is {a}, not {b}");
    }
}

/// The golden's input, channel by channel, and what is right.
fn golden(name: &str, channels: usize) -> (Vec<f32>, Vec<f32>) {
    let input = if channels == 1 { npy("input.npy") } else { npy(&format!("{name}.input.npy")) };
    (input, npy(&format!("{name}.output.npy")))
}

#[test]
fn a_window_that_was_exported_is_a_stream_from_its_first_sample_on_in_any_block() {
    for (name, _, channels, parameter) in STREAMS {
        let (input, right) = golden(name, channels);
        let all = input.len() / channels;
        for simd in ["auto", "portable"] {
            let model = load(name, simd);
            let mut whole: Option<Vec<f32>> = None;
            // All of it in long blocks, the beginning in short ones: that is where a stream and its windows could differ.
            let blocks = [(2048, all), (100, 3_000), (64, 3_000), (1, 1_500)];
            for (block, length) in blocks.into_iter().take(if simd == "auto" { 4 } else { 2 }) {
                let mut engine = engine(&model, channels, block, block);
                if !parameter.is_empty() {
                    set(&mut engine, 1, parameter);
                }
                // The last block is filled up with silence.
                let mut made = vec![Vec::new(); channels];
                for start in (0..length).step_by(block) {
                    for c in 0..channels {
                        let x = engine.input(0).unwrap().f32_mut().unwrap();
                        let rest = &input[c * all + start..c * all + length];
                        x[c * block..][..block].fill(0.0);
                        let count = rest.len().min(block);
                        x[c * block..][..count].copy_from_slice(&rest[..count]);
                    }
                    engine.run().unwrap();
                    let y = output(&engine, 0);
                    made.iter_mut().enumerate().for_each(|(c, made)| made.extend(&y[c * block..][..block]));
                }
                made.iter_mut().for_each(|made| made.truncate(length));
                let beginnings = |of: &[f32]| -> Vec<f32> {
                    of.chunks(of.len() / channels).flat_map(|channel| channel[..length].to_vec()).collect()
                };
                let made = made.concat();
                near(&made, &beginnings(&right), 1e-5, &format!("{name}, {simd}, block {block}"));
                match &whole {
                    None => whole = Some(made),
                    Some(whole) => {
                        assert!(
                            beginnings(whole) == made,
                            "{name}, {simd}: block {block} differs from the whole"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn windows_are_answered_as_a_general_engine_answers_them_in_any_order() {
    for (name, past, channels, parameter) in STREAMS.into_iter().filter(|stream| stream.1 > 0) {
        let (input, right) = golden(name, channels);
        let length = input.len() / channels;
        let model = load(name, "auto");
        let hop = 480;
        let mut engine = engine(&model, channels, past + hop, hop);
        // In order, then an old one, twice the same, and after a reset.
        for (at, start) in [0, 480, 960, 9_600, 480, 480, 960, 1_440].into_iter().enumerate() {
            if at == 6 {
                engine.reset().unwrap();
            }
            let mut window = Vec::new();
            for c in 0..channels {
                let sample = |t: usize| (start + t).checked_sub(past).map_or(0.0, |t| input[c * length + t]);
                window.extend((0..past + hop).map(sample));
            }
            set(&mut engine, 0, &window);
            if !parameter.is_empty() {
                // A knob that was elsewhere in between leaves no trace.
                set(&mut engine, 1, &[0.1]);
                engine.run().unwrap();
                set(&mut engine, 1, parameter);
            }
            engine.run().unwrap();
            let right: Vec<f32> =
                (0..channels).flat_map(|c| right[c * length + start..][..hop].to_vec()).collect();
            near(&output(&engine, 0), &right, 1e-5, &format!("{name}, window at {start}"));
        }
    }
}

#[test]
fn single_inferences_in_the_files_own_shapes_are_pytorchs() {
    for (name, inputs, outputs) in [
        ("gain", &["input"][..], &["output"][..]),
        ("amp-tcn-1k", &["input"], &["output"]),
        ("amp-tcn-15k", &["input"], &["output"]),
        ("amp-tcn-29k", &["input"], &["output"]),
        ("amp-stereo-4k", &["input"], &["output"]),
        ("amp-knob-4k", &["input", "drive"], &["output"]),
        ("amp-hybrid-11k", &["input"], &["output"]),
        ("amp-lstm-2k", &["input", "h_in", "c_in"], &["output", "h_out", "c_out"]),
    ] {
        let right = |tensor: &str| npy(&format!("run/{name}/{tensor}.npy"));
        for simd in ["auto", "portable"] {
            let model = load(name, simd);
            let names: Vec<&str> = model.signature().inputs.iter().map(|t| t.name.as_str()).collect();
            assert_eq!(names, inputs);
            // Where one extent is open, the golden's length tells it.
            let shape = |info: &TensorInfo| -> Vec<usize> {
                let known: usize = info.shape.iter().flatten().product();
                let open = right(&info.name).len() / known;
                info.shape.iter().map(|extent| extent.unwrap_or(open)).collect()
            };
            let signature = model.signature();
            let request = EngineRequest::new(
                signature.inputs.iter().map(shape).collect(),
                signature.outputs.iter().map(|info| Some(shape(info))).collect(),
            );
            let mut engine = model.engine(&request).unwrap();
            for _ in 0..2 {
                for (at, input) in inputs.iter().enumerate() {
                    set(&mut engine, at, &right(input));
                }
                engine.run().unwrap();
                for (at, tensor) in outputs.iter().enumerate() {
                    near(&output(&engine, at), &right(tensor), 1e-5, &format!("{name}, {simd}: {tensor}"));
                }
            }
        }
    }
}

#[test]
fn the_state_of_the_lstm_goes_through_its_tensors_for_a_minute_and_half_a_second() {
    let (input, right) = golden("amp-lstm-2k", 1);
    let model = load("amp-lstm-2k", "auto");
    assert_eq!(model.internal_state(), InternalState::None);
    for block in [1, 64, 100] {
        let state = vec![1, 1, 20];
        let request = EngineRequest::new(
            vec![vec![1, block, 1], state.clone(), state.clone()],
            vec![Some(vec![1, block, 1]), Some(state.clone()), Some(state)],
        );
        let mut engine = model.engine(&request).unwrap();
        let mut made = Vec::new();
        for part in input.chunks_exact(block) {
            set(&mut engine, 0, part);
            engine.run().unwrap();
            made.extend(output(&engine, 0));
            let (h, c) = (output(&engine, 1), output(&engine, 2));
            set(&mut engine, 1, &h);
            set(&mut engine, 2, &c);
        }
        near(&made, &right[..made.len()], 1e-5, &format!("block {block}"));
    }
}

#[test]
fn the_hybrid_runs_on_windows_as_it_was_exported() {
    let (input, right) = golden("amp-hybrid-11k", 1);
    let model = load("amp-hybrid-11k", "auto");
    assert_eq!(model.internal_state(), InternalState::None);
    let request = EngineRequest::new(vec![vec![256, 1, 150]], vec![Some(vec![256, 1])]);
    let mut engine = model.engine(&request).unwrap();
    for start in [0, 256, 10_000] {
        let sample = |t: usize| (start + t).checked_sub(149).map_or(0.0, |t| input[t]);
        let windows: Vec<f32> = (0..256).flat_map(|row| (0..150).map(move |t| sample(row + t))).collect();
        set(&mut engine, 0, &windows);
        engine.run().unwrap();
        near(&output(&engine, 0), &right[start..][..256], 1e-5, &format!("windows from {start}"));
    }
}

#[test]
fn without_a_session_a_model_tells_its_tensors_as_the_file_has_them() {
    let source = ModelSource::file(root().join("models/amp-tcn-15k.onnx"));
    let model = Native.load(&source, &LoadRequest::new()).unwrap();
    let right = Signature {
        inputs: vec![TensorInfo::f32("input", &[1, 1, 3380])],
        outputs: vec![TensorInfo::f32("output", &[1, 1, 2048])],
    };
    assert_eq!(*model.signature(), right);
    assert_eq!(model.internal_state(), InternalState::None, "a window says all");
    let session = load("amp-tcn-15k", "auto");
    assert_eq!(session.signature().inputs[0].shape, [Some(1), Some(1), None]);
    assert_eq!(session.internal_state(), InternalState::Inside);
}

#[test]
fn what_is_beyond_the_subset_is_named_with_what_is_in_it() {
    let fixture = |name: &str| {
        let source = ModelSource::file(root().join(format!("tests/fixtures/{name}.onnx")));
        Native.load(&source, &LoadRequest::new())
    };
    for (name, kind, words) in [
        ("knob", ErrorKind::Unsupported, &["operator Abs", "Conv, ", "LSTM"][..]),
        ("rows", ErrorKind::Unsupported, &["operator ReduceSum"]),
        ("counter-i64", ErrorKind::Unsupported, &["count_in", "float32"]),
        ("smoother", ErrorKind::Unsupported, &["CumSum"]),
        ("nan", ErrorKind::Model, &["finite"]),
    ] {
        let error = fixture(name).map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{name}: {error}");
    }
    for name in ["dynamic", "time-last-batch", "sidechain"] {
        assert!(fixture(name).is_ok(), "{name}: {:?}", fixture(name).err());
    }
}

#[test]
fn cut_and_flipped_files_are_errors_or_networks_and_nothing_else() {
    for name in ["amp-tcn-1k", "amp-lstm-2k", "amp-knob-4k"] {
        let bytes = std::fs::read(root().join(format!("models/{name}.onnx"))).unwrap();
        let load = |bytes: Vec<u8>| Native.load(&ModelSource::memory(bytes), &LoadRequest::new()).map(drop);
        assert!(load(bytes.clone()).is_ok());
        for len in (0..bytes.len()).step_by(97) {
            let error = load(bytes[..len].to_vec()).unwrap_err();
            assert!([ErrorKind::Model, ErrorKind::Unsupported].contains(&error.kind()), "{len}: {error}");
        }
        for at in (0..bytes.len()).step_by(31) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            if let Err(error) = load(flipped) {
                assert!(error.kind().is_users(), "{at}: {error}");
            }
        }
    }
}
