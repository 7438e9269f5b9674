//! The names that a first program needs.

pub use crate::backends::*;
pub use crate::block::{Sink, Source, Strided, StridedMut};
pub use crate::handler::{
    Audio, Control, EngineSpec, Fallback, Fault, InferenceHandler, PrepareReport, Prepared, Status,
};
pub use anira_scheduler::{Driven, Inline, Offline, Pool, Priority};
pub use anira_traits::{
    Backend, BlockSize, Engine, Error, ErrorKind, HopProcessor, HostConfig, InferenceConfig, InputTensor,
    LatePolicy, Mode, Model, ModelSource, OutputTensor, PrePostProcessor, Scheduler, SchedulingAllowance,
};
