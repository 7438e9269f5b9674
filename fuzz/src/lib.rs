//! What the fuzz targets check, and how their inputs are replayed without a fuzzer. See the README.

pub mod config;
pub mod config_file;
pub mod flips;
pub mod latency;
pub mod native;
pub mod onnx_file;
pub mod replay;
pub mod seed;
pub mod stream;
pub mod tflite_file;
pub mod torch_file;
#[cfg(feature = "trace")]
pub mod trace;
#[cfg(feature = "wav")]
pub mod wav;

#[cfg(any(
    feature = "rten",
    feature = "onnxruntime",
    feature = "torch",
    feature = "tflite",
    feature = "litert"
))]
mod engine;
mod wire;

#[cfg(feature = "litert")]
pub use engine::litert;
#[cfg(feature = "onnxruntime")]
pub use engine::onnxruntime;
#[cfg(feature = "rten")]
pub use engine::rten;
#[cfg(feature = "tflite")]
pub use engine::tflite;
#[cfg(feature = "torch")]
pub use engine::torch;

// The tests' simulations of the latency, which know nothing of the formulas.
#[path = "../../anira/tests/latency/adversary.rs"]
mod adversary;
#[path = "../../anira/tests/latency/simulation.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod simulation;

// The reader of TorchScript files alone: the crate's feature would bring LibTorch along.
#[path = "../../anira-backend-torch/src/archive/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the crate uses more of it")]
mod archive;

// The tests' switch between engines, which knows nothing of the library.
#[path = "../../tests/tests/switch/plain.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod switch;

// The tests' writer of FlatBuffers.
#[path = "../../anira-backend-tflite/tests/support/flat.rs"]
mod flat;

/// The main function of a fuzz target, whose check is the function `check` in the module of its name.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name::check(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::replay::main($crate::$name::check)
        }
    };
}
