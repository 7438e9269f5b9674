//! The idle policies that are compared. A new one has its line here, and nowhere else.

use std::time::Duration;

use anira::scheduler::IdlePolicy;
use anyhow::bail;

/// Every policy with its name on the command line.
pub(crate) fn all() -> Vec<(&'static str, IdlePolicy)> {
    vec![
        ("awake", eager()),
        ("predictive", IdlePolicy::predictive()),
        ("park", IdlePolicy::park()),
        ("backoff", IdlePolicy::backoff()),
        ("peer", IdlePolicy::polling(Duration::from_micros(100))),
    ]
}

/// Looks for work without a pause, and gives up its core to whoever wants it: no worker begins sooner. For measurements in
/// which the next callback is to wait for the worker.
pub(crate) fn eager() -> IdlePolicy {
    let mut policy = IdlePolicy::spin();
    policy.spins = 0;
    policy.yields = u32::MAX;
    policy
}

/// The policies of these names.
pub(crate) fn named(names: &[String]) -> anyhow::Result<Vec<(&'static str, IdlePolicy)>> {
    let all = all();
    let find = |name: &String| match all.iter().find(|(known, _)| known == name) {
        Some(found) => Ok(*found),
        None => {
            let known: Vec<_> = all.iter().map(|(name, _)| *name).collect();
            bail!("there is no policy `{name}`; there are {}", known.join(", "))
        }
    };
    match names {
        [] => Ok(all.clone()),
        names => names.iter().map(find).collect(),
    }
}
