#![doc = include_str!("../README.md")]

mod kind;
#[cfg(feature = "plot")]
mod plot;
mod series;
mod tally;
mod watch;

#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "linux/mod.rs"]
mod system;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "elsewhere.rs"]
mod system;

pub use kind::{Counts, Kind};
#[cfg(feature = "plot")]
pub use plot::svg;
pub use series::Series;
pub use watch::{Counted, Unavailable, Watch, watched};
