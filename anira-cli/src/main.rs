//! The program `anira`: all of it is in its library, but for what comes before there is a second thread.

#[cfg(feature = "onnxruntime")]
mod environment;

fn main() -> std::process::ExitCode {
    #[cfg(feature = "onnxruntime")]
    environment::complete();
    anira_cli::main()
}
