//! Configurations from arbitrary bytes: under cargo-fuzz a fuzz target, else a program that replays files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| anira_fuzz::config::check(data));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    anira_fuzz::replay::main(anira_fuzz::config::check)
}
