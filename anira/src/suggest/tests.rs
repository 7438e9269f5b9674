//! Signatures of the repository's models, of its fixtures, and of what exporters usually make.

use anira_traits::{
    DType, ErrorKind, InferenceConfig, InputRole, InputTensor, Layout, OutputTensor, Signature, TensorInfo,
};

use super::{Suggestion, suggest};

/// `f32 1,1,64` or `i64 1` or `f32 1,?,1`.
fn tensor(name: &str, text: &str) -> TensorInfo {
    let (dtype, shape) = text.split_once(' ').unwrap();
    let dtype = match dtype {
        "f32" => DType::F32,
        "f64" => DType::F64,
        "i64" => DType::I64,
        other => panic!("{other}"),
    };
    let shape: Vec<_> = shape.split(',').filter(|d| !d.is_empty()).map(|d| d.parse().ok()).collect();
    TensorInfo::new(name, dtype, shape)
}

fn signature(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Signature {
    let tensors = |list: &[(&str, &str)]| list.iter().map(|(name, text)| tensor(name, text)).collect();
    Signature { inputs: tensors(inputs), outputs: tensors(outputs) }
}

fn made(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Suggestion {
    suggest(&signature(inputs, outputs)).unwrap()
}

#[track_caller]
fn is(
    inputs: &[(&str, &str)],
    outputs: &[(&str, &str)],
    wanted_in: &[InputTensor],
    wanted_out: &[OutputTensor],
) -> Vec<String> {
    let made = made(inputs, outputs);
    let mut wanted = InferenceConfig::builder();
    for tensor in wanted_in {
        wanted = wanted.input(tensor.clone());
    }
    for tensor in wanted_out {
        wanted = wanted.output(tensor.clone());
    }
    assert_eq!(made.config, wanted.build().unwrap());
    made.notes
}

fn from(name: &str, layout: &str, hop: usize, context: usize) -> InputTensor {
    InputTensor::stream(name, hop).context(context).layout(layout.parse::<Layout>().unwrap())
}

fn to(name: &str, layout: &str, hop: usize) -> OutputTensor {
    OutputTensor::stream(name, hop).layout(layout.parse::<Layout>().unwrap())
}

/// The states that were found: (input, output).
fn states(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Vec<(String, String)> {
    let made = made(inputs, outputs);
    let states = made.config.inputs().iter().filter_map(|t| match &t.role {
        InputRole::State { from, .. } => Some((t.name.clone(), from.clone())),
        _ => None,
    });
    states.collect()
}

#[test]
fn the_models_of_the_repository() {
    let notes = is(
        &[("input", "f32 1,1,512")],
        &[("output", "f32 1,1,512")],
        &[from("input", "NCT", 512, 0)],
        &[to("output", "NCT", 512)],
    );
    assert_eq!(notes, [""; 0], "nothing was assumed");
    let notes = is(
        &[("input", "f32 1,1,15380")],
        &[("output", "f32 1,1,2048")],
        &[from("input", "NCT", 2048, 13332)],
        &[to("output", "NCT", 2048)],
    );
    assert!(notes.len() == 1 && notes[0].contains("13332 samples longer"), "{notes:?}");
    let state = "f32 1,1,20";
    let notes = is(
        &[("input", "f32 1,?,1"), ("h_in", state), ("c_in", state)],
        &[("output", "f32 1,?,1"), ("h_out", state), ("c_out", state)],
        &[
            from("input", "NTC", 512, 0),
            InputTensor::state("h_in", "h_out"),
            InputTensor::state("c_in", "c_out"),
        ],
        &[to("output", "NTC", 512), OutputTensor::state("h_out"), OutputTensor::state("c_out")],
    );
    assert!(notes.len() == 1 && notes[0].contains("any length: hop 512"), "{notes:?}");
}

#[test]
fn the_fixtures_with_streams_alone() {
    let main = ("main", "f32 1,1,64");
    is(
        &[main, ("side", "f32 1,1,64")],
        &[("output", "f32 1,1,64")],
        &[from("main", "NCT", 64, 0), from("side", "NCT", 64, 0)],
        &[to("output", "NCT", 64)],
    );
    is(
        &[("input", "f32 1,2,128")],
        &[("output", "f32 1,2,128")],
        &[from("input", "NCT", 128, 0)],
        &[to("output", "NCT", 128)],
    );
    is(
        &[("input", "f32 1,96,1")],
        &[("output", "f32 1,96,1")],
        &[from("input", "NTC", 96, 0)],
        &[to("output", "NTC", 96)],
    );
    let notes = is(
        &[("input", "f32 32,1,8")],
        &[("output", "f32 32,1")],
        &[from("input", "NCT", 32, 7)],
        &[to("output", "NT", 32)],
    );
    assert!(notes[0].contains("32 rows") && notes[0].contains("windows of 8"), "{notes:?}");
    let notes = is(
        &[("input", "f32 1,1,64")],
        &[("output", "f32 1,1,128")],
        &[from("input", "NCT", 64, 0)],
        &[to("output", "NCT", 128)],
    );
    assert!(notes[0].contains("128/64"), "{notes:?}");
    is(
        &[("input", "f32 1,1,?")],
        &[("output", "f32 1,1,?")],
        &[from("input", "NCT", 512, 0)],
        &[to("output", "NCT", 512)],
    );
}

#[test]
fn the_fixtures_with_parameters_and_states() {
    let notes = is(
        &[("input", "f32 1,1,64"), ("gain", "f32 1")],
        &[("output", "f32 1,1,64"), ("peak", "f32 1")],
        &[from("input", "NCT", 64, 0), InputTensor::parameter("gain", [0.0])],
        &[to("output", "NCT", 64), OutputTensor::parameter("peak")],
    );
    assert!(notes.len() == 1 && notes[0].contains("`gain`") && notes[0].contains("`default`"), "{notes:?}");
    is(
        &[("input", "f32 1,1,32"), ("count_in", "i64 1")],
        &[("output", "f32 1,1,32"), ("count_out", "i64 1")],
        &[from("input", "NCT", 32, 0), InputTensor::state("count_in", "count_out")],
        &[to("output", "NCT", 32), OutputTensor::state("count_out")],
    );
    is(
        &[("input", "f32 1,1,16"), ("z_in", "f32 1,1,1")],
        &[("output", "f32 1,1,16"), ("z_out", "f32 1,1,1")],
        &[from("input", "NCT", 16, 0), InputTensor::state("z_in", "z_out")],
        &[to("output", "NCT", 16), OutputTensor::state("z_out")],
    );
}

#[test]
fn audio_of_another_type_is_told() {
    let error = suggest(&signature(&[("input", "f64 1,1,64")], &[("output", "f64 1,1,64")])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    for words in ["inputs", "`input` float64 [1, 1, 64]", "float32"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = suggest(&signature(&[("input", "f32 1,1,64")], &[])).unwrap_err();
    assert!(error.to_string().contains("outputs: is none"), "{error}");
    let error = suggest(&Signature::default()).unwrap_err();
    assert!(error.to_string().contains("inputs: is none"), "{error}");
}

#[test]
fn states_are_found_by_many_customs_of_naming() {
    let cell = "f32 1,1,20";
    for (before, after) in [
        ("h_in", "h_out"),
        ("h0", "hn"),
        ("h_0", "h_n"),
        ("state", "new_state"),
        ("state", "state_out"),
        ("prev_state", "next_state"),
        ("hiddenIn", "hiddenOut"),
        ("in.cache", "out.cache"),
        ("initial_h", "Y_h"),
        ("past_kv", "present_kv"),
        ("x_in", "x_out"),
        ("audio_buffer_in", "audio_buffer_out"),
    ] {
        let found =
            states(&[("audio", "f32 1,64,1"), (before, cell)], &[("audio_out", "f32 1,64,1"), (after, cell)]);
        assert_eq!(found, [(before.to_owned(), after.to_owned())]);
        let found = states(&[(before, cell), ("in", "f32 1,64,1")], &[("out", "f32 1,64,1"), (after, cell)]);
        assert_eq!(found, [(before.to_owned(), after.to_owned())], "in any order");
    }
}

#[test]
fn numbered_states_are_not_mixed_up() {
    let cell = "f32 1,1,20";
    let found = states(
        &[("x", "f32 1,64,1"), ("cache_0_in", cell), ("cache_1_in", cell)],
        &[("y", "f32 1,64,1"), ("cache_1_out", cell), ("cache_0_out", cell)],
    );
    let other =
        states(&[("x", "f32 1,64,1"), ("h_in", cell)], &[("y", "f32 1,64,1"), ("h_out", "f32 1,1,21")]);
    assert!(other.is_empty(), "a state is as large as what feeds it");
    let pair = |n: u8| (format!("cache_{n}_in"), format!("cache_{n}_out"));
    assert_eq!(found, [pair(0), pair(1)]);
}

#[test]
fn streams_named_like_a_pair_stay_streams() {
    let audio = "f32 1,1,64";
    let cell = "f32 1,1,128";
    assert!(states(&[("audio_in", audio)], &[("audio_out", audio)]).is_empty());
    assert!(states(&[("x_in", audio)], &[("x_out", audio)]).is_empty());
    assert!(
        states(&[("main_in", audio), ("side_in", audio)], &[("main_out", audio), ("side_out", audio)])
            .is_empty()
    );
    let found = states(&[("x_in", audio), ("h_in", cell)], &[("x_out", audio), ("h_out", cell)]);
    assert_eq!(found, [("h_in".to_owned(), "h_out".to_owned())], "the state is longer than the stream");
    let found = states(&[("x", "f32 1,1,1"), ("h0", cell)], &[("y", "f32 1,1,1"), ("hn", cell)]);
    assert_eq!(found.len(), 1, "a stream of one sample");
}

#[test]
fn states_without_telling_names_are_paired_by_order_with_a_note() {
    let (a, b) = ("f32 1,16,8", "f32 2,1,20");
    let made = made(
        &[("args_0", "f32 1,1,64"), ("args_1", a), ("args_2", b), ("args_3", a)],
        &[("ret_0", "f32 1,1,64"), ("ret_1", a), ("ret_2", a), ("ret_3", b)],
    );
    let froms = made.config.inputs().iter().filter_map(|t| match &t.role {
        InputRole::State { from, .. } => Some(from.as_str()),
        _ => None,
    });
    assert_eq!(froms.collect::<Vec<_>>(), ["ret_1", "ret_3", "ret_2"]);
    assert_eq!(made.notes.iter().filter(|n| n.contains("shape and place alone")).count(), 3);
    let uneven = states(&[("args_0", "f32 1,1,64"), ("args_1", a)], &[("ret_0", "f32 1,1,64")]);
    assert!(uneven.is_empty(), "an input without an output is a parameter");
    let uneven = states(
        &[("args_0", "f32 1,1,64"), ("args_1", a), ("args_2", a)],
        &[("ret_0", "f32 1,1,64"), ("ret_1", a)],
    );
    assert!(uneven.is_empty(), "which of two feeds on one output cannot be told");
}

#[test]
fn open_dimensions_become_a_batch_of_one_and_a_hop() {
    is(
        &[("input", "f32 ?,?,?")],
        &[("output", "f32 ?,?,?")],
        &[from("input", "NCT", 512, 0).shape([1, 1, 512])],
        &[to("output", "NCT", 512).shape([1, 1, 512])],
    );
    is(
        &[("input", "f32 ?,?,1"), ("h_in", "f32 ?,1,20"), ("c_in", "f32 2,?,20")],
        &[("output", "f32 ?,?,1"), ("h_out", "f32 ?,1,20"), ("c_out", "f32 2,?,20")],
        &[
            from("input", "NTC", 512, 0).shape([1, 512, 1]),
            InputTensor::state("h_in", "h_out").shape([1, 1, 20]),
            InputTensor::state("c_in", "c_out").shape([2, 1, 20]),
        ],
        &[
            to("output", "NTC", 512).shape([1, 512, 1]),
            OutputTensor::state("h_out"),
            OutputTensor::state("c_out"),
        ],
    );
    is(
        &[("input", "f32 ?,1,15380")],
        &[("output", "f32 ?,1,2048")],
        &[from("input", "NCT", 2048, 13332).shape([1, 1, 15380])],
        &[to("output", "NCT", 2048).shape([1, 1, 2048])],
    );
    is(
        &[("input", "f32 ?,1,150")],
        &[("output", "f32 ?,1")],
        &[from("input", "NCT", 512, 149).shape([512, 1, 150])],
        &[to("output", "NT", 512).shape([512, 1])],
    );
    let notes = is(
        &[("x", "f32 1,1,64")],
        &[("y", "f32 1,1,64"), ("map", "f32 1,?")],
        &[from("x", "NCT", 64, 0)],
        &[to("y", "NCT", 64)],
    );
    assert!(notes[0].contains("`map` [1, ?] is left out"), "{notes:?}");
    is(&[("x", "f32 ?")], &[("y", "f32 ?")], &[from("x", "T", 512, 0)], &[to("y", "T", 512)]);
    let notes = is(
        &[("x", "f32 1,1,640")],
        &[("y", "f32 1,1,?")],
        &[from("x", "NCT", 640, 0)],
        &[to("y", "NCT", 640)],
    );
    assert!(notes[0].contains("`y` does not say its length"), "{notes:?}");
    let notes = is(
        &[("x", "f32 1,1,?")],
        &[("y", "f32 1,1,640")],
        &[from("x", "NCT", 640, 0)],
        &[to("y", "NCT", 640)],
    );
    assert!(notes[0].contains("`x` takes any length"), "{notes:?}");
    let error = suggest(&signature(&[("x", "f32 1,1,64"), ("cond", "f32 1,?")], &[("y", "f32 1,1,64")]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`cond`") && error.contains("[1, ?]") && error.contains("`shape`"), "{error}");
}

#[test]
fn time_is_where_input_and_output_agree() {
    is(&[("x", "f32 1,80,64")], &[("y", "f32 1,1,64")], &[from("x", "NCT", 64, 0)], &[to("y", "NCT", 64)]);
    is(&[("x", "f32 512,2")], &[("y", "f32 512,1")], &[from("x", "TC", 512, 0)], &[to("y", "TC", 512)]);
    is(&[("x", "f32 2,512")], &[("y", "f32 512")], &[from("x", "CT", 512, 0)], &[to("y", "T", 512)]);
    is(
        &[("x", "f32 4,1,2048")],
        &[("y", "f32 4,1,1024")],
        &[from("x", "NCT", 4096, 1024)],
        &[to("y", "NCT", 4096)],
    );
    let notes =
        is(&[("x", "f32 1,1,150")], &[("y", "f32 1,1,1")], &[from("x", "NCT", 1, 149)], &[to("y", "NCT", 1)]);
    assert!(notes.iter().any(|n| n.contains("slow")), "{notes:?}");
}

#[test]
fn four_dimensions_are_not_a_stream() {
    let error = suggest(&signature(&[("x", "f32 1,1,1,64")], &[("y", "f32 1,1,64")])).unwrap_err();
    for words in ["tensor `x`", "shape", "[1, 1, 1, 64]", "1 to 3 dimensions", "PrePostProcessor"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = suggest(&signature(&[("x", "f32 1,1,64")], &[("y", "f32 1,1,0")])).unwrap_err();
    assert!(error.to_string().contains("tensor `y`: shape: is float32 [1, 1, 0]"), "{error}");
    let error = suggest(&signature(&[("x", "f32 ")], &[("y", "f32 1,1,64")])).unwrap_err();
    assert!(error.to_string().contains("inputs"), "{error}");
}
