#![doc = include_str!("../README.md")]
// Loom and shuttle build what they model, and not all that uses it.
#![cfg_attr(any(loom, shuttle), allow(dead_code, unused_imports))]

mod band;
#[cfg(not(loom))]
pub mod clock;
mod doorbell;
#[cfg(not(loom))]
mod driven;
mod gate;
mod handover;
#[cfg(not(loom))]
mod inline;
mod latest;
#[cfg(all(test, loom))]
mod loom_band;
#[cfg(all(test, loom))]
mod loom_doorbell;
#[cfg(all(test, loom))]
mod loom_handover;
#[cfg(all(test, loom))]
mod loom_mailbox;
#[cfg(all(test, loom))]
mod loom_telemetry;
mod mailbox;
#[cfg(not(loom))]
mod pool;
mod registry;
#[cfg(not(loom))]
mod rhythm;
pub mod ring;
pub mod schedule;
mod sync;
#[cfg(not(loom))]
mod system;
mod telemetry;
mod watch;

#[doc = include_str!("../PROTOCOL.md")]
pub mod protocol {}

pub use anira_realtime::FlushToZero;
pub use doorbell::Doorbell;
#[cfg(not(loom))]
pub use driven::{Driven, DrivenAttachment, DrivenSubmit, Driver};
pub use handover::{Handover, MAX_THINGS, Offer};
#[cfg(not(loom))]
pub use inline::{Inline, InlineAttachment, InlineSubmit, Offline};
pub use latest::Latest;
pub use mailbox::Mailbox;
#[cfg(not(loom))]
pub use pool::{
    Affinity, Granted, IdlePolicy, MAX_BANDS, MAX_THREADS, Pool, PoolAttachment, PoolBuilder, PoolSnapshot,
    PoolSubmit, Prediction, Priority, Wake, WorkerSnapshot,
};
pub use schedule::Order;
#[cfg(not(loom))]
pub use system::{GENERATIONS, Origin};
pub use telemetry::{Histogram, HistogramSnapshot, Telemetry, TelemetrySnapshot};
