#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's failure")]

mod banding;
mod bounds;
mod by_hand;
mod soundness;

use std::time::Duration;

use anira_traits::Terms;

/// A session of one engine whose outputs are needed a period later. Microseconds.
fn session(period: u64, cost: u64) -> Terms {
    let mut terms = Terms::new("session", Duration::from_micros(period));
    terms.max_inference = Duration::from_micros(cost);
    terms
}

fn with_deadline(mut terms: Terms, deadline: u64) -> Terms {
    terms.deadline = Duration::from_micros(deadline);
    terms
}

fn with_priority(mut terms: Terms, priority: i32) -> Terms {
    terms.priority = priority;
    terms
}
