//! The kit's whole report on this backend, as a table; with `--json` for machines.
#![allow(clippy::print_stdout, reason = "a program for people at a terminal")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use anira_conformance::{CountingAllocator, check};
use third_party_backend::Nam;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let report = check(&Nam, &support::specimens());
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", report.to_json());
    } else {
        println!("{report}");
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
