//! A configuration and a model, put together: the numbers that everything after `build` works with.

/// How a stream's hop lies in its tensor: extents and strides in elements. Rows advance by [`step`](Self::step) samples.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamPlan {
    /// The name in the configuration.
    pub name: String,
    /// The engine's tensor index (among its inputs, or among its outputs).
    pub tensor: usize,
    /// Channels that the model sees.
    pub channels: usize,
    /// New samples per channel and inference.
    pub hop: usize,
    /// Past samples per channel in front of the hop. For outputs: leading samples of each row that are not used.
    pub context: usize,
    /// Rows of the batch; `hop` is a multiple.
    pub rows: usize,
    /// Elements from one row, channel and time step to the next.
    pub strides: Strides,
    /// The model's own delay in samples (outputs only).
    pub latency: u64,
    /// The latency that the host is told in samples, if the configuration fixes it (outputs only).
    pub declared_latency: Option<u64>,
    /// How long the model sounds on after the last input that its context holds, in samples (outputs only).
    pub decay: u64,
}

/// Distances in elements inside a stream's tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Strides {
    /// From row to row.
    pub row: usize,
    /// From channel to channel.
    pub channel: usize,
    /// From sample to sample.
    pub time: usize,
}

impl StreamPlan {
    /// A stream of one row whose tensor is planar: channel after channel, `context + hop` samples each.
    #[must_use]
    pub fn planar(
        name: impl Into<String>,
        tensor: usize,
        channels: usize,
        hop: usize,
        context: usize,
    ) -> Self {
        let strides = Strides { row: channels * (context + hop), channel: context + hop, time: 1 };
        Self {
            name: name.into(),
            tensor,
            channels,
            hop,
            context,
            rows: 1,
            strides,
            latency: 0,
            declared_latency: None,
            decay: 0,
        }
    }

    /// The same stream with these strides.
    #[must_use]
    pub fn with_strides(mut self, row: usize, channel: usize, time: usize) -> Self {
        self.strides = Strides { row, channel, time };
        self
    }

    /// The same stream with this many rows.
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// The same stream with this model latency in samples.
    #[must_use]
    pub fn with_latency(mut self, samples: u64) -> Self {
        self.latency = samples;
        self
    }

    /// The same stream with this declared latency in samples, or none.
    #[must_use]
    pub fn with_declared_latency(mut self, samples: Option<u64>) -> Self {
        self.declared_latency = samples;
        self
    }

    /// The same stream with this decay in samples.
    #[must_use]
    pub fn with_decay(mut self, samples: u64) -> Self {
        self.decay = samples;
        self
    }

    /// Samples from one row's window to the next row's.
    #[must_use]
    pub fn step(&self) -> usize {
        self.hop / self.rows.max(1)
    }

    /// Samples that one row holds: `context + step`.
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.context + self.step()
    }

    /// Samples per channel in a whole window: `context + hop`.
    #[must_use]
    pub fn window(&self) -> usize {
        self.context + self.hop
    }
}

/// A session's numbers, fixed when it is prepared; what a [`PrePostProcessor`](crate::PrePostProcessor) is split by.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionPlan {
    /// The input streams, in the configuration's order.
    pub inputs: Vec<StreamPlan>,
    /// The output streams, in the configuration's order.
    pub outputs: Vec<StreamPlan>,
    /// How often the model runs per hop, once for each group of the host's channels (a mono model on a stereo host: 2).
    pub lanes: usize,
    /// Engines that may run at once, each running all lanes of a slot.
    pub engines: usize,
    /// The host's sample rate in Hz.
    pub sample_rate: f64,
}

impl SessionPlan {
    /// A plan of these streams, one lane, one engine.
    #[must_use]
    pub fn new(inputs: Vec<StreamPlan>, outputs: Vec<StreamPlan>) -> Self {
        Self { inputs, outputs, lanes: 1, engines: 1, sample_rate: 48_000.0 }
    }
}
