//! A session of any engine that is played block by block, with resets in between.

use std::time::Duration;

use anira::prelude::*;
use anira_tests::zoo::{ALL, Golden, Planar, TCN_1K};
use anira_tests::{Random, settle, valid};

/// A session, whatever its engine.
pub(crate) trait Play: Send {
    /// Plays one block; whether there was one left.
    fn step(&mut self) -> bool;
    /// Waits until all that was submitted has come back, so that nothing depends on speed.
    fn settle(&self);
    /// All that came out so far.
    fn heard(&self) -> &[f32];
    /// Starts again, from silence.
    fn rewind(&mut self);
}

/// The longest block.
const LONGEST: usize = 700;

pub(crate) struct Session<B: Backend> {
    audio: Audio<B, HopProcessor, Pool>,
    handler: InferenceHandler<B, HopProcessor, Pool>,
    input: Planar,
    block: Planar,
    at: usize,
    random: Random,
    heard: Vec<f32>,
}

impl<B: Backend> Session<B> {
    /// One on this pool.
    pub(crate) fn new(backend: B, golden: &Golden, pool: Pool) -> Self {
        let builder = golden.builder(backend, 1, Duration::from_millis(1));
        let mut handler = valid(builder.scheduler(pool).build());
        let mode = if golden.name == TCN_1K.name { Mode::Offline } else { Mode::Realtime };
        let host = HostConfig::varying(48_000.0, LONGEST).channels(golden.channels).mode(mode);
        let Prepared { audio, .. } = valid(handler.prepare(&host));
        golden.turn(&handler.control());
        let block = vec![vec![0.0; LONGEST]; golden.channels];
        let heard = Vec::with_capacity(ALL * golden.channels);
        Self { audio, handler, input: golden.input(), block, at: 0, random: Random(5), heard }
    }
}

impl<B: Backend> Play for Session<B> {
    fn step(&mut self) -> bool {
        if self.at == ALL {
            return false;
        }
        let size = (1 + self.random.below(LONGEST)).min(ALL - self.at);
        // In the middle of a hop, most of the times.
        if self.random.below(20) == 0 {
            self.audio.reset();
        }
        let mut block: Vec<&mut [f32]> = self.block.iter_mut().map(|channel| &mut channel[..size]).collect();
        for (channel, input) in block.iter_mut().zip(&self.input) {
            channel.copy_from_slice(&input[self.at..self.at + size]);
        }
        let status = self.audio.process(&mut block[..]);
        assert!(status.is_ok(), "{status:?}");
        block.iter().for_each(|channel| self.heard.extend_from_slice(channel));
        self.at += size;
        true
    }

    fn settle(&self) {
        settle(&self.handler.control());
    }

    fn heard(&self) -> &[f32] {
        assert_eq!(self.handler.control().last_error(), None);
        &self.heard
    }

    fn rewind(&mut self) {
        self.audio.reset();
        (self.at, self.random) = (0, Random(5));
        self.heard.clear();
    }
}
