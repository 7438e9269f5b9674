//! STUB, replaced by the sim branch.
use anira_traits::{Admission, Terms};
/// Order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// EDF.
    #[default]
    EarliestDeadline,
    /// FIFO.
    Fifo,
}
/// P.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// p
    Priority,
    /// f
    FairShare,
}
/// S.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// c
    pub cores: usize,
    /// w
    pub workers: usize,
    /// b
    pub bands: usize,
    /// o
    pub order: Order,
    /// p
    pub preemption: Preemption,
}
/// a
pub fn assign(terms: &[Terms], bands: usize) -> Vec<usize> {
    terms
        .iter()
        .map(|t| usize::from(t.deadline > std::time::Duration::from_millis(10)).min(bands - 1))
        .collect()
}
/// a
pub fn admission(_terms: &[Terms], _system: &System) -> Admission {
    Admission::default()
}
