//! Real workers, started and asked: which priority, which core, whether denormal numbers count as zero.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anira::backends::FnBackend;
use anira::prelude::{InferenceHandler, Prepared};
use anira::scheduler::{self, Granted, Pool};
use anira::traits::{Signature, TensorInfo};
use anira::{HostConfig, InferenceConfig, InputTensor, OutputTensor, Result};
use serde::Serialize;

use super::machine::Affinity;

/// The priority that the pool which all sessions share asks for.
const REQUESTED: u8 = 40;

/// How long a worker may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Samples of the block that wakes a worker.
const HOP: usize = 64;

/// What the workers were granted.
#[derive(Debug, Default)]
pub(super) struct Workers {
    pub(super) priority: Priority,
    pub(super) affinity: Affinity,
    pub(super) flush_to_zero: Option<bool>,
}

/// The scheduling class of a worker, in words: `realtime 40` or `normal`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Priority {
    requested: String,
    /// Null where no worker ran.
    granted: Option<String>,
    /// Why it is not what was asked, in the system's words.
    refusal: Option<String>,
}

/// Starts workers as a session in real time does, and once more pinned to a core.
pub(super) fn ask() -> Workers {
    let requested = scheduler::Priority::Realtime(REQUESTED);
    let mut priority = Priority { requested: words(requested), ..Priority::default() };
    let mut flush_to_zero = None;
    match Pool::builder().priority(requested).build().and_then(one_block) {
        Ok(Seen { granted, flush }) => {
            flush_to_zero = flush;
            if let Some(granted) = granted {
                (priority.granted, priority.refusal) = (Some(words(granted.priority)), granted.refusal);
            }
        }
        Err(error) => priority.refusal = Some(error.to_string()),
    }
    let requested = allowed_core();
    let mut affinity = Affinity { requested, ..Affinity::default() };
    let pinned = Pool::builder().affinity(scheduler::Affinity::PerWorker(vec![requested]));
    match pinned.build().and_then(one_block) {
        Ok(Seen { granted: Some(granted), .. }) => {
            (affinity.granted, affinity.refusal) = (granted.core, granted.refusal);
        }
        Ok(Seen { granted: None, .. }) => {}
        Err(error) => affinity.refusal = Some(error.to_string()),
    }
    Workers { priority, affinity, flush_to_zero }
}

/// The first core that this process may use.
fn allowed_core() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    let first = list.trim().split([',', '-']).next().unwrap_or_default();
    first.parse().unwrap_or(0)
}

/// What one worker was seen to have.
struct Seen {
    granted: Option<Granted>,
    flush: Option<bool>,
}

/// Attaches a session to this pool, gives it a block, and waits until its worker has run it.
fn one_block(pool: Pool) -> Result<Seen> {
    let flushed = Arc::new(AtomicU8::new(UNSEEN));
    let signature = Signature {
        inputs: vec![TensorInfo::f32("input", &[1, 1, HOP])],
        outputs: vec![TensorInfo::f32("output", &[1, 1, HOP])],
    };
    let seen = Arc::clone(&flushed);
    let backend = FnBackend::new("doctor", signature, move || {
        let seen = Arc::clone(&seen);
        move |_: &_, _: &mut _| {
            seen.store(if flushes_to_zero() { YES } else { NO }, Ordering::Relaxed);
            Ok(())
        }
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .max_inference(Duration::from_micros(100))
        .build()?;
    let mut handler = InferenceHandler::builder(config)
        .backend(backend)
        .scheduler(pool.clone())
        .name("anira doctor")
        .build()?;
    let Prepared { mut audio, .. } = handler.prepare(&HostConfig::fixed(48_000.0, HOP))?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let mut silence = [0.0f32; HOP];
        let _ = audio.process(&mut [&mut silence[..]]);
        std::thread::sleep(Duration::from_millis(2));
        if flushed.load(Ordering::Relaxed) != UNSEEN {
            break;
        }
    }
    // The most urgent worker is the one that was asked for the whole priority.
    let mut workers = pool.snapshot().workers;
    workers.sort_by_key(|worker| worker.band);
    let flush = match flushed.load(Ordering::Relaxed) {
        UNSEEN => None,
        seen => Some(seen == YES),
    };
    Ok(Seen { granted: workers.into_iter().find_map(|worker| worker.granted), flush })
}

const UNSEEN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

/// Whether the smallest denormal number times one is zero here.
fn flushes_to_zero() -> bool {
    let product = black_box(f32::from_bits(1)) * black_box(1.0);
    black_box(product).to_bits() == 0
}

fn words(priority: scheduler::Priority) -> String {
    match priority {
        scheduler::Priority::Realtime(level) => format!("realtime {level}"),
        _ => "normal".to_owned(),
    }
}

impl Priority {
    pub(super) fn text(&self) -> String {
        let Self { requested, granted, refusal } = self;
        let why = refusal.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        match granted {
            Some(granted) => format!("{granted}, asked for {requested}{why}"),
            None => format!("unknown: no worker ran{why}"),
        }
    }

    /// How to be granted a real-time class.
    pub(super) fn advice(&self) -> Option<String> {
        if self.granted.as_ref() == Some(&self.requested) {
            return None;
        }
        Some(if cfg!(target_os = "linux") {
            "priority: in /etc/security/limits.d/audio.conf say `@audio - rtprio 95` and `@audio - memlock unlimited`, be a \
             member of the group audio and log in again (`ulimit -r` then says 95); a service says LimitRTPRIO=95, a container \
             is started with --ulimit rtprio=95 or --cap-add=SYS_NICE. What rtkit grants goes to the threads that a host asks \
             for, not to anira's. Until then a busy machine makes samples late"
                .to_owned()
        } else {
            "priority: the system refused real-time workers; a busy machine makes samples late".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_answer_what_they_were_granted() {
        let Workers { priority, affinity, flush_to_zero } = ask();
        assert_eq!(priority.requested, "realtime 40");
        let granted = priority.granted.as_deref();
        assert!(granted == Some("realtime 40") || (granted == Some("normal") && priority.refusal.is_some()));
        assert_eq!(priority.advice().is_some(), granted == Some("normal"));
        assert!(affinity.granted.is_some() != affinity.refusal.is_some(), "{affinity:?}");
        let known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        assert_eq!(flush_to_zero, Some(known));
        assert!(!flushes_to_zero(), "the thread that asks keeps its own");
    }
}
