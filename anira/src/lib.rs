#![doc = include_str!("../README.md")]

mod any;
mod auto;
pub mod backends;
mod bind;
pub mod block;
pub mod calibration;
#[cfg(feature = "file")]
pub mod file;
mod handler;
pub mod latency;
pub mod prelude;
mod resample;
mod shared;
pub mod suggest;
pub mod trace;

pub use anira_realtime as realtime;
pub use anira_scheduler as scheduler;
pub use anira_traits as traits;
pub use anira_traits::{
    BlockSize, Error, ErrorKind, HopRange, HostConfig, InferenceConfig, InputTensor, LatePolicy, Mode,
    ModelSource, OutputTensor, Result, SchedulingAllowance,
};
pub use block::{Sink, Source};
pub use handler::{
    Audio, Builder, Control, EngineOf, EngineSpec, Ensemble, Fallback, Fault, HopChoice, InferenceHandler,
    Job, LateBlock, Payload, PrepareReport, Prepared, Session, Status, Switching,
};
pub use resample::{ResampleReport, Resampled};
