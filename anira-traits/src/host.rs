//! What the host says of its callbacks.

use crate::{Error, ErrorKind, Result};

/// The largest block that a host may announce, in samples.
pub const MAX_BLOCK: usize = 1 << 20;

/// How many samples one callback brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockSize {
    /// Always this many.
    Fixed(usize),
    /// Anything from `min` to `max`, changing as the host likes.
    Varying {
        /// The fewest samples in a callback; 1 where the host does not say.
        min: usize,
        /// The most samples in a callback.
        max: usize,
    },
}

impl BlockSize {
    /// The most samples in a callback.
    #[must_use]
    pub fn max(self) -> usize {
        match self {
            Self::Fixed(n) | Self::Varying { max: n, .. } => n,
        }
    }
}

/// Whether callbacks are paced by a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A clock paces the callbacks: the audio side never waits, late samples are replaced and counted.
    #[default]
    Realtime,
    /// Rendering: the audio side waits for results, nothing is ever late. Same latency, same samples.
    Offline,
}

/// Sample rate, blocks and channels of the host, as it announces them before it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostConfig {
    sample_rate: f64,
    block: BlockSize,
    channels: Option<usize>,
    mode: Mode,
}

impl HostConfig {
    /// A real-time host at `sample_rate` Hz whose callbacks bring exactly `block` samples each.
    #[must_use]
    pub fn fixed(sample_rate: f64, block: usize) -> Self {
        Self { sample_rate, block: BlockSize::Fixed(block), channels: None, mode: Mode::Realtime }
    }

    /// A real-time host at `sample_rate` Hz whose callbacks bring 1 to `max_block` samples each.
    #[must_use]
    pub fn varying(sample_rate: f64, max_block: usize) -> Self {
        Self { block: BlockSize::Varying { min: 1, max: max_block }, ..Self::fixed(sample_rate, max_block) }
    }

    /// The same host with this block size.
    #[must_use]
    pub fn block(mut self, block: BlockSize) -> Self {
        self.block = block;
        self
    }

    /// The same host with this many channels in every stream. A model with fewer channels runs once per group of
    /// them; without this call the channels are the model's.
    #[must_use]
    pub fn channels(mut self, count: usize) -> Self {
        self.channels = Some(count);
        self
    }

    /// The same host in this mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sample rate in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> f64 {
        self.sample_rate
    }

    /// How many samples one callback brings.
    #[must_use]
    pub fn block_size(&self) -> BlockSize {
        self.block
    }

    /// Channels per stream, if given.
    #[must_use]
    pub fn channel_count(&self) -> Option<usize> {
        self.channels
    }

    /// Real time or offline.
    #[must_use]
    pub fn processing_mode(&self) -> Mode {
        self.mode
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ErrorKind::Host`], naming the field, its value and what would be right.
    pub fn validate(&self) -> Result<()> {
        let bad = |field: &'static str, value: String, right: String| {
            Err(Error::config(field, value, right).of_kind(ErrorKind::Host))
        };
        if !(self.sample_rate.is_finite() && (1.0..=10e6).contains(&self.sample_rate)) {
            return bad("sample_rate", self.sample_rate.to_string(), "from 1 to 10000000 Hz".into());
        }
        let (min, max) = match self.block {
            BlockSize::Fixed(n) => (n, n),
            BlockSize::Varying { min, max } => (min, max),
        };
        if max == 0 || max > MAX_BLOCK {
            return bad("block", max.to_string(), format!("from 1 to {MAX_BLOCK} samples"));
        }
        if min == 0 || min > max {
            return bad("block minimum", min.to_string(), format!("from 1 to the maximum, {max}"));
        }
        match self.channels {
            Some(n) if n == 0 || n > 1024 => bad("channels", n.to_string(), "from 1 to 1024".into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_from_a_host_is_named() {
        let refused = |host: HostConfig, word: &str| {
            let error = host.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Host);
            assert!(error.to_string().contains(word), "{error}");
        };
        for rate in [f64::NAN, f64::INFINITY, 0.0, -48e3, 1e9] {
            refused(HostConfig::fixed(rate, 64), "sample_rate");
        }
        refused(HostConfig::fixed(48e3, 0), "block");
        refused(HostConfig::fixed(48e3, MAX_BLOCK + 1), "block");
        refused(HostConfig::fixed(48e3, 64).block(BlockSize::Varying { min: 0, max: 64 }), "minimum");
        refused(HostConfig::fixed(48e3, 64).block(BlockSize::Varying { min: 65, max: 64 }), "minimum");
        refused(HostConfig::fixed(48e3, 64).channels(0), "channels");
        refused(HostConfig::fixed(48e3, 64).channels(1025), "channels");
        HostConfig::varying(44.1e3, 1).channels(8).validate().unwrap();
    }
}
