//! Models that ask for as much as an input says, or code computes, which a reader of the file cannot know: in a process whose memory
//! is bounded.

use std::process::Command;

use anira::prelude::*;

use crate::attempt::{attempt, while_another_plays};
use crate::files::{self, Format};

/// Set for a child whose memory is bounded: the engine's name.
const LIMITED: &str = "ANIRA_TEST_LIMITED_ENGINE";

/// An error of this kind, where ten gibibytes cannot be had: in a child that may have 8 GB, so that nobody's machine is filled.
pub(crate) fn bounded<B: Backend>(backend: B, right: ErrorKind) {
    let mut child = Command::new("sh");
    child.args(["-c", "ulimit -c 0; ulimit -v 8000000; exec \"$0\" --exact given::child --nocapture"]);
    let output = child.arg(std::env::current_exe().unwrap()).env(LIMITED, backend.name()).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let told = format!("{}: {text}", output.status);
    assert!(output.status.success() && text.contains("1 passed"), "{told}");
    assert!(text.contains(&format!("an error of kind {right:?}")), "not {right:?}: {told}");
}

/// What the child does; nothing where nobody asked.
#[test]
fn child() {
    match std::env::var(LIMITED).as_deref() {
        Ok("rten") => survives(Rten, files::onnx_of_given_size()),
        #[cfg(feature = "onnxruntime")]
        Ok("onnxruntime") => survives(OnnxRuntime, files::onnx_of_given_size()),
        #[cfg(feature = "torch")]
        Ok("torch") => survives(Torch, files::torch_of_computed_size()),
        #[cfg(feature = "tflite")]
        Ok("tflite") => survives(TfLite, files::tflite_of_given_size()),
        #[cfg(feature = "litert")]
        Ok("litert") => survives(LiteRt, files::tflite_of_given_size()),
        Ok(other) => unreachable!("{other}"),
        Err(_) => {}
    }
}

/// The session ends in an error, and the process and another session go on.
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn survives<B: Backend + Clone>(backend: B, input: files::Input) {
    let format = Format::of(backend.name());
    while_another_plays(backend.clone(), format, || {
        let error = attempt(backend, &input).unwrap_err();
        println!("an error of kind {:?}: {error}", error.kind());
    });
}
