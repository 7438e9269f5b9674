#![doc = include_str!("../README.md")]

mod answer;
mod check;
mod property;
mod report;
mod specimen;
mod subject;
mod verdict;

pub use anira_realtime::{Allocations, CountingAllocator};
pub use check::{check, check_property};
pub use property::Property;
pub use report::{Outcome, Report, Row};
pub use specimen::Specimen;
