//! Traces: what a session's threads did and when, recorded without a wait, and replayed on a virtual clock.
//!
//! [`InferenceHandler::record`](crate::InferenceHandler::record) lets the next prepare give a [`Recording`], whose rings the audio thread
//! and the workers fill; [`Recording::finish`] makes a [`Trace`] of it, and [`replay`] says which samples were late, and why. With the
//! feature `trace`, traces are written to files and read from them: JSON Lines, as `docs/traces.md` describes.
//!
//! ```
//! use anira::prelude::*;
//! use anira::trace::replay;
//! use std::time::Duration;
//!
//! let config = InferenceConfig::builder()
//!     .input(InputTensor::stream("input", 64))
//!     .output(OutputTensor::stream("output", 64))
//!     .max_inference(Duration::from_millis(1))
//!     .build()?;
//! let driven = Driven::new(1)?;
//! let mut driver = driven.driver();
//! let mut handler = InferenceHandler::builder(config).backend(Bypass).scheduler(driven).build()?;
//! handler.record(1 << 14);
//! let mut prepared = handler.prepare(&HostConfig::fixed(48_000.0, 64))?;
//! for _ in 0..10 {
//!     let _ = prepared.audio.process(&mut [&mut [0.0f32; 64][..]]);
//!     // Nobody runs the hops of the last five callbacks.
//!     # if handler.control().telemetry().submitted > 5 { continue }
//!     driver.run_one();
//! }
//! let trace = prepared.recording.take().expect("asked for").finish();
//! let replayed = replay(&trace, None)?;
//! assert_eq!(replayed.late_samples, trace.late_samples());
//! assert!(replayed.late_samples > 0);
//! # Ok::<(), anira::Error>(())
//! ```

#[cfg(feature = "trace")]
mod format;
pub(crate) mod recorder;
mod replay;
mod why;

pub use recorder::Recording;
pub use replay::{Fate, Played, Replayed, replay};
pub use why::{Cause, LateRun};

/// The version of the format.
pub const VERSION: u64 = 1;

/// What the numbers of a session were while it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The host's sample rate in Hz, of the reference stream.
    pub sample_rate: f64,
    /// The host block, or the longest one.
    pub block: u64,
    /// Whether blocks vary.
    pub varying: bool,
    /// Samples of the reference stream that a hop consumes.
    pub hop_in: u64,
    /// Samples of output stream 0 that it yields.
    pub hop_out: u64,
    /// Slots that could run at once: engines, or workers where those were fewer.
    pub engines: u64,
    /// The reported latency of output stream 0, in samples.
    pub latency: u64,
    /// The zeros that output stream 0 began with: the latency without the model's own.
    pub zero_fill: u64,
    /// The declared worst time of a slot, in nanoseconds.
    pub max_inference: u64,
    /// The declared scheduling allowance, in nanoseconds.
    pub scheduling_allowance: u64,
    /// The share of a block's time that a callback may wait, in millionths.
    pub blocking_ppm: u64,
    /// Hops that may wait although their time has passed.
    pub max_catch_up: u64,
}

/// Something that a thread did. Times are nanoseconds since the prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A callback began and brought samples of the reference stream.
    Block {
        /// When.
        at: u64,
        /// How many.
        samples: u64,
    },
    /// A hop was complete and submitted.
    Hop {
        /// When.
        at: u64,
        /// Which stream: raised by every reset.
        stream: u64,
        /// Its number in the stream.
        hop: u64,
        /// When its first sample will be needed.
        deadline: u64,
    },
    /// A hop was given up: before it was submitted, or before anybody began with it.
    Drop {
        /// When.
        at: u64,
        /// Which stream.
        stream: u64,
        /// Its number in the stream.
        hop: u64,
    },
    /// A hop was not run: input and state were at rest, and its answer was known.
    Skip {
        /// When.
        at: u64,
        /// Which stream.
        stream: u64,
        /// Its number in the stream.
        hop: u64,
    },
    /// A worker ran a hop.
    Run {
        /// Which stream.
        stream: u64,
        /// Its number in the stream.
        hop: u64,
        /// Which thread, in the order in which threads of the process first ran a recorded hop.
        worker: u64,
        /// When it began.
        start: u64,
        /// When it was over.
        end: u64,
        /// Whether there was an answer.
        ok: bool,
    },
    /// Samples of output stream 0 were handed out, after a last look for results.
    Out {
        /// When that look was.
        at: u64,
        /// How many.
        samples: u64,
        /// How many of them were late.
        late: u64,
    },
    /// The stream began anew.
    Reset {
        /// When.
        at: u64,
    },
}

impl Event {
    /// When it was over.
    #[must_use]
    pub fn time(&self) -> u64 {
        match *self {
            Self::Block { at, .. }
            | Self::Hop { at, .. }
            | Self::Drop { at, .. }
            | Self::Skip { at, .. }
            | Self::Out { at, .. }
            | Self::Reset { at } => at,
            Self::Run { end, .. } => end,
        }
    }
}

/// A recorded session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trace {
    /// Its numbers.
    pub header: Header,
    /// What happened, in the order of time.
    pub events: Vec<Event>,
    /// Events that found no room in a ring. A trace that lacks some cannot be replayed.
    pub lost: u64,
}

impl Trace {
    /// Samples that were late when it was recorded.
    #[must_use]
    pub fn late_samples(&self) -> u64 {
        let late = |event: &Event| if let Event::Out { late, .. } = event { *late } else { 0 };
        self.events.iter().map(late).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
