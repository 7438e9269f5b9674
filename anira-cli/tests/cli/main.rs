//! The program `anira` itself, run as users run it.

#![cfg(feature = "rten")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

mod calibrate;
mod configuration;
mod doctor;
mod files;
mod golden;
mod help;
mod inspect;
mod options;
mod program;
mod replay;
mod run;
mod schema;
mod sound;
mod violations;
