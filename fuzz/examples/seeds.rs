//! Makes the saved inputs that come from the project's models and fixtures anew:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    match anira_fuzz::seed::make(&here.join(".."), &here.join("seeds")) {
        Ok(count) => {
            println!("{count} inputs written below {}", here.join("seeds").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
