//! What a build refuses: every way in which a configuration and a model can disagree, and what cannot be loaded at all.

use anira::prelude::*;
use anira::traits::{DType, InferenceConfigBuilder, InternalState, TensorInfo};
use anira_tests::{backend, fixture, refused, signature, valid};

fn stream(name: &str, hop: usize) -> InferenceConfigBuilder {
    anira_tests::cut().input(InputTensor::stream(name, hop))
}

/// Builds this configuration over an ONNX file.
fn onnx(file: &str, config: InferenceConfigBuilder) -> Result<(), Error> {
    InferenceHandler::builder(valid(config.build())).backend(Rten).source(fixture(file)).build().map(drop)
}

#[test]
fn names_that_the_model_does_not_have() {
    let plain = || stream("input", 64).output(OutputTensor::stream("output", 64));
    let knob = || plain().input(InputTensor::parameter("gain", [1.0]));
    valid(onnx("knob.onnx", knob()));
    let words = &["input `inptu`", "name", "`input`, `gain`"];
    let typo = stream("inptu", 64).output(OutputTensor::stream("output", 64));
    refused(onnx("knob.onnx", typo.input(InputTensor::parameter("gain", [1.0]))), ErrorKind::Config, words);
    let extra = knob().output(OutputTensor::parameter("loudness"));
    refused(onnx("knob.onnx", extra), ErrorKind::Config, &["output `loudness`", "`output`, `peak`"]);
    let elsewhere = plain().input(InputTensor::parameter("gain", [1.0]).model_name("volume"));
    refused(onnx("knob.onnx", elsewhere), ErrorKind::Config, &["input `gain`", "`volume`"]);
    let twice = knob().input(InputTensor::parameter("again", [1.0]).model_name("gain"));
    refused(onnx("knob.onnx", twice), ErrorKind::Config, &["input `again`", "twice"]);
}

#[test]
fn an_input_of_the_model_that_has_no_role() {
    let config = stream("input", 64).output(OutputTensor::stream("output", 64));
    refused(onnx("knob.onnx", config), ErrorKind::Config, &["`gain`", "not configured", "role"]);
}

#[test]
fn streams_of_another_type() {
    let config = stream("input", 64).output(OutputTensor::stream("output", 64));
    refused(onnx("double.onnx", config), ErrorKind::DType, &["`input`", "float64", "float32"]);
}

#[test]
fn shapes_that_are_not_the_models() {
    let of = |shape: &[usize]| {
        anira_tests::cut()
            .input(InputTensor::stream("input", 64).shape(shape))
            .input(InputTensor::parameter("gain", [1.0]))
            .output(OutputTensor::stream("output", 64))
    };
    valid(onnx("knob.onnx", of(&[1, 1, 64])));
    refused(onnx("knob.onnx", of(&[1, 1, 65])), ErrorKind::Shape, &["`input`", "[1, 1, 65]", "[1, 1, 64]"]);
    refused(onnx("knob.onnx", of(&[64])), ErrorKind::Shape, &["`input`", "[64]", "[1, 1, 64]"]);
    let output = stream("input", 64)
        .input(InputTensor::parameter("gain", [1.0]))
        .output(OutputTensor::stream("output", 64).shape([1, 64, 1]));
    refused(onnx("knob.onnx", output), ErrorKind::Shape, &["output `output`", "[1, 64, 1]"]);
}

#[test]
fn layouts_that_do_not_fit_the_shape() {
    let of = |layout: &str| {
        anira_tests::cut()
            .input(InputTensor::stream("input", 128).layout(valid(layout.parse())))
            .output(OutputTensor::stream("output", 128))
    };
    valid(onnx("stereo.onnx", of("NCT")));
    refused(onnx("stereo.onnx", of("NT")), ErrorKind::Shape, &["`input`", "layout", "`NT`", "[1, 2, 128]"]);
    // Time and channels exchanged: 2 samples of 128 channels.
    refused(onnx("stereo.onnx", of("NTC")), ErrorKind::Shape, &["`input`", "hop", "128", "2 samples"]);
}

#[test]
fn hops_contexts_and_channels_that_the_tensor_has_no_room_for() {
    let of = |input: InputTensor, output: OutputTensor| {
        onnx("stereo.onnx", anira_tests::cut().input(input).output(output))
    };
    let (input, output) = (|| InputTensor::stream("input", 128), || OutputTensor::stream("output", 128));
    valid(of(input(), output()));
    refused(
        of(InputTensor::stream("input", 129), output()),
        ErrorKind::Shape,
        &["`input`", "hop", "129", "128"],
    );
    refused(
        of(input(), OutputTensor::stream("output", 129)),
        ErrorKind::Shape,
        &["`output`", "hop", "129", "128"],
    );
    refused(
        of(input().context(1), output()),
        ErrorKind::Shape,
        &["`input`", "context", "is 1", "room for 0"],
    );
    let short = InputTensor::stream("input", 100).context(30);
    refused(of(short, output()), ErrorKind::Shape, &["context", "is 30", "room for 28"]);
    refused(
        of(input().channels(1), output()),
        ErrorKind::Shape,
        &["`input`", "channels", "is 1", "[1, 2, 128]"],
    );
    refused(of(input(), output().channels(3)), ErrorKind::Shape, &["`output`", "channels", "is 3"]);
}

#[test]
fn rows_that_do_not_divide_the_hop() {
    let of = |hop| {
        anira_tests::cut()
            .input(InputTensor::stream("input", hop).layout(valid("NCT".parse())))
            .output(OutputTensor::stream("output", 32).layout(valid("NT".parse())))
    };
    valid(onnx("rows.onnx", of(32)));
    refused(onnx("rows.onnx", of(33)), ErrorKind::Shape, &["`input`", "hop", "33", "32 rows"]);
}

#[test]
fn states_of_another_shape_type_or_name() {
    let tensors = || {
        let mut tensors = signature(
            &[("input", &[1, 1, 8]), ("z_in", &[2])],
            &[("output", &[1, 1, 8]), ("z_out", &[2]), ("long", &[3])],
        );
        tensors.outputs.push(TensorInfo::new("whole", DType::I64, [Some(2)]));
        tensors
    };
    let build = |state: InputTensor| {
        let config = stream("input", 8).input(state).output(OutputTensor::stream("output", 8));
        InferenceHandler::builder(valid(config.build()))
            .backend(backend(tensors(), |_, _| Ok(())))
            .build()
            .map(drop)
    };
    valid(build(InputTensor::state("z_in", "z_out")));
    refused(
        build(InputTensor::state("z_in", "long")),
        ErrorKind::Shape,
        &["input `z_in`", "from", "[2]", "[3]"],
    );
    refused(build(InputTensor::state("z_in", "whole")), ErrorKind::DType, &["`z_in`", "float32", "int64"]);
    refused(
        build(InputTensor::state("z_in", "gone")),
        ErrorKind::Config,
        &["`z_in`", "from", "`gone`", "`z_out`"],
    );
    let three = InputTensor::state("z_in", "z_out").initial([1.0, 2.0, 3.0]);
    refused(build(three), ErrorKind::Shape, &["`z_in`", "initial", "3 values", "give 1 or 2"]);
}

#[test]
fn values_that_are_too_many_or_too_few() {
    let tensors = signature(&[("input", &[1, 1, 8]), ("p", &[2, 2])], &[("output", &[1, 1, 8])]);
    let build = |tensor: InputTensor| {
        let config = stream("input", 8).input(tensor).output(OutputTensor::stream("output", 8));
        let model = backend(tensors.clone(), |_, _| Ok(()));
        InferenceHandler::builder(valid(config.build())).backend(model).build().map(drop)
    };
    valid(build(InputTensor::parameter("p", [1.0])));
    valid(build(InputTensor::constant("p", [1.0, 2.0, 3.0, 4.0])));
    refused(
        build(InputTensor::parameter("p", [1.0, 2.0])),
        ErrorKind::Shape,
        &["`p`", "default", "2 values", "give 1 or 4"],
    );
    refused(build(InputTensor::constant("p", [0.0; 5])), ErrorKind::Shape, &["`p`", "values", "5 values"]);
}

#[test]
fn extents_that_stay_open() {
    let mut tensors = signature(&[("input", &[1, 1, 8])], &[("output", &[1, 1, 8])]);
    tensors.inputs.push(TensorInfo::new("grid", DType::F32, [None, None]));
    let build = |tensor: InputTensor| {
        let config = stream("input", 8).input(tensor).output(OutputTensor::stream("output", 8));
        let model = backend(tensors.clone(), |_, _| Ok(()));
        InferenceHandler::builder(valid(config.build())).backend(model).build().map(drop)
    };
    refused(
        build(InputTensor::parameter("grid", [1.0])),
        ErrorKind::Shape,
        &["`grid`", "[?, ?]", "give the shape"],
    );
    valid(build(InputTensor::parameter("grid", [1.0]).shape([2, 3])));
}

#[test]
fn a_stream_of_a_shape_that_suggests_no_layout() {
    let shape = [1, 1, 1, 8];
    let config = stream("input", 8).output(OutputTensor::stream("output", 8));
    let model = backend(signature(&[("input", &shape)], &[("output", &shape)]), |_, _| Ok(()));
    let built = InferenceHandler::builder(valid(config.build())).backend(model).build();
    refused(built, ErrorKind::Shape, &["`input`", "layout", "[1, 1, 1, 8]"]);
}

#[test]
fn several_engines_of_a_model_that_remembers() {
    let shape = [1, 1, 8];
    let config = || stream("input", 8).output(OutputTensor::stream("output", 8)).engines(2);
    let model = || backend(signature(&[("input", &shape)], &[("output", &shape)]), |_, _| Ok(()));
    valid(InferenceHandler::builder(valid(config().build())).backend(model()).build());
    let remembers = model().internal_state(InternalState::Inside);
    let built = InferenceHandler::builder(valid(config().build())).backend(remembers).build();
    refused(built, ErrorKind::Config, &["engines", "is 2", "remembers"]);
}

#[test]
fn options_that_the_backend_does_not_know() {
    let config = || valid(stream("input", 512).output(OutputTensor::stream("output", 512)).build());
    let option = [("turbo".to_owned(), "yes".to_owned())];
    let built = InferenceHandler::builder(config()).backend(Bypass).options(option.clone()).build();
    refused(built, ErrorKind::Config, &["turbo", "yes"]);
    let builder = InferenceHandler::builder(config()).backend(Rten).source(fixture("knob.onnx"));
    refused(builder.options(option).build(), ErrorKind::Config, &["turbo"]);
}

#[test]
fn files_that_are_not_there_or_no_models() {
    let config = || valid(stream("input", 64).output(OutputTensor::stream("output", 64)).build());
    let on = |source| InferenceHandler::builder(config()).backend(Rten).source(source).build().map(drop);
    refused(on(fixture("gone.onnx")), ErrorKind::NotFound, &["gone.onnx"]);
    refused(on(ModelSource::None), ErrorKind::Config, &["model"]);
    refused(on(ModelSource::memory(&b"not a model"[..])), ErrorKind::Model, &[]);
    refused(on(fixture("README.md")), ErrorKind::Model, &[]);
}
