#![doc = include_str!("../README.md")]

mod absent;
mod backend;
pub mod config;
mod error;
mod host;
mod plan;
mod processor;
mod scheduler;
mod span;
mod tensor;

pub use absent::Absent;
pub use backend::{
    Backend, Engine, EngineRequest, InternalState, LoadRequest, Model, ModelSource, RealtimeSafe, WorkerScope,
};
pub use config::{
    Axis, HopRange, InferenceConfig, InferenceConfigBuilder, InputRole, InputTensor, LatePolicy, Layout,
    OutputRole, OutputTensor, SchedulingAllowance,
};
pub use error::{Error, ErrorKind, Result};
pub use host::{BlockSize, HostConfig, MAX_BLOCK, Mode};
pub use plan::{SessionPlan, StreamPlan, Strides};
pub use processor::{
    EmitPart, HopEmit, HopProcessor, HopWorker, Hops, PrePostProcessor, Windows, WorkerPart,
};
pub use scheduler::{
    Admission, Attachment, Forecast, Head, Ran, Scheduler, SessionFit, Submit, Terms, Timing, Work,
};
pub use span::Span;
pub use tensor::{DType, Signature, TensorData, TensorInfo, TensorView, TensorViewMut, place, shape_text};
