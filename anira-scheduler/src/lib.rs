#![doc = include_str!("../README.md")]

#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
mod denormals;
#[cfg(not(loom))]
mod driven;
#[cfg(not(loom))]
mod inline;
mod latest;
#[cfg(all(test, loom))]
mod loom_mailbox;
#[cfg(all(test, loom))]
mod loom_wake;
mod mailbox;
#[cfg(not(loom))]
mod pool;
#[cfg(not(loom))]
mod registry;
pub mod ring;
#[cfg(not(loom))]
pub mod schedule;
mod sync;
#[cfg(not(loom))]
mod telemetry;
mod wake;

#[doc = include_str!("../PROTOCOL.md")]
pub mod protocol {}

#[cfg(not(loom))]
pub use denormals::FlushToZero;
#[cfg(not(loom))]
pub use driven::{Driven, DrivenAttachment, DrivenSubmit, Driver};
#[cfg(not(loom))]
pub use inline::{Inline, InlineAttachment, InlineSubmit, Offline};
pub use latest::Latest;
pub use mailbox::Mailbox;
#[cfg(not(loom))]
pub use pool::{Granted, IdlePolicy, MAX_THREADS, Pool, PoolAttachment, PoolBuilder, PoolSubmit, Priority};
#[cfg(not(loom))]
pub use telemetry::{Histogram, HistogramSnapshot, Telemetry, TelemetrySnapshot};
