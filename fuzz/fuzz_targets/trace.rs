//! The target `trace`: under a fuzzer a fuzz target, else a program that replays files.
#![cfg_attr(fuzzing, no_main)]

anira_fuzz::target!(trace);
