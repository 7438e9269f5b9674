//! The tensors of a configuration and their roles.

use super::Layout;

/// What an input tensor is to the stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InputRole {
    /// Carries audio-rate data, hop by hop, with `context` past samples in front of each hop.
    Stream {
        /// New samples per channel and inference.
        hop: usize,
        /// Past samples per channel in front of the hop; `None`: what the tensor has room for.
        context: Option<usize>,
        /// Channels; `None`: what the tensor has.
        channels: Option<usize>,
    },
    /// Set by the user between inferences.
    Parameter {
        /// The values at start: one per element, or one for all.
        default: Vec<f64>,
    },
    /// Fed from an output of the inference before.
    State {
        /// The output that feeds it, by its name in this configuration.
        from: String,
        /// The values at start and after a reset: one per element, one for all, or none for zeros.
        initial: Vec<f64>,
    },
    /// Never changes.
    Constant {
        /// One value per element, or one for all.
        values: Vec<f64>,
    },
}

/// What an output tensor is to the stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum OutputRole {
    /// Carries audio-rate data, hop by hop.
    Stream {
        /// New samples per channel and inference: the last ones of the tensor's time axis.
        hop: usize,
        /// Channels; `None`: what the tensor has.
        channels: Option<usize>,
        /// The model's own delay, in samples of this stream.
        latency: u64,
        /// The latency that the host is told, in samples of this stream; `None`: the smallest that holds.
        declared_latency: Option<u64>,
        /// How long the model sounds on after the last input that its context holds, in samples of this stream.
        decay: u64,
    },
    /// Read by the user after an inference.
    Parameter,
    /// Feeds the state input that names it.
    State,
}

macro_rules! tensor {
    ($name:ident, $role:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// The name in this configuration: what users and error messages say.
            pub name: String,
            /// The name in the model file, where it differs; `#0`, `#1`, … for a tensor by its place, see [`place`](crate::place).
            pub model_name: Option<String>,
            /// The extents to use: needed where the model leaves several open.
            pub shape: Option<Vec<usize>>,
            /// The axes of a stream's tensor; guessed from the shape where absent.
            pub layout: Option<Layout>,
            /// What it is to the stream.
            pub role: $role,
        }

        impl $name {
            /// A tensor of this name and role.
            #[must_use]
            pub fn new(name: impl Into<String>, role: $role) -> Self {
                Self { name: name.into(), model_name: None, shape: None, layout: None, role }
            }

            /// The same tensor under another name in the model file; `#0`, `#1`, … for a tensor by its place.
            #[must_use]
            pub fn model_name(mut self, name: impl Into<String>) -> Self {
                self.model_name = Some(name.into());
                self
            }

            /// The same tensor with these extents.
            #[must_use]
            pub fn shape(mut self, shape: impl Into<Vec<usize>>) -> Self {
                self.shape = Some(shape.into());
                self
            }

            /// The same tensor with these axes.
            #[must_use]
            pub fn layout(mut self, layout: Layout) -> Self {
                self.layout = Some(layout);
                self
            }

            /// The name that the model knows it by.
            #[must_use]
            pub fn name_in_model(&self) -> &str {
                self.model_name.as_deref().unwrap_or(&self.name)
            }
        }
    };
}

tensor!(InputTensor, InputRole, "An input tensor of a configuration.");
tensor!(OutputTensor, OutputRole, "An output tensor of a configuration.");

impl InputTensor {
    /// A stream that consumes `hop` samples per channel and inference.
    #[must_use]
    pub fn stream(name: impl Into<String>, hop: usize) -> Self {
        Self::new(name, InputRole::Stream { hop, context: None, channels: None })
    }

    /// A parameter that starts at these values (one per element, or one for all).
    #[must_use]
    pub fn parameter(name: impl Into<String>, default: impl Into<Vec<f64>>) -> Self {
        Self::new(name, InputRole::Parameter { default: default.into() })
    }

    /// A state fed from the output `from`, zero at start.
    #[must_use]
    pub fn state(name: impl Into<String>, from: impl Into<String>) -> Self {
        Self::new(name, InputRole::State { from: from.into(), initial: Vec::new() })
    }

    /// A tensor that never changes.
    #[must_use]
    pub fn constant(name: impl Into<String>, values: impl Into<Vec<f64>>) -> Self {
        Self::new(name, InputRole::Constant { values: values.into() })
    }

    /// The same stream with this many past samples in front of each hop. Other roles are left as they are.
    #[must_use]
    pub fn context(mut self, samples: usize) -> Self {
        if let InputRole::Stream { context, .. } = &mut self.role {
            *context = Some(samples);
        }
        self
    }

    /// The same stream with this many channels. Other roles are left as they are.
    #[must_use]
    pub fn channels(mut self, count: usize) -> Self {
        if let InputRole::Stream { channels, .. } = &mut self.role {
            *channels = Some(count);
        }
        self
    }

    /// The same state with these values at start. Other roles are left as they are.
    #[must_use]
    pub fn initial(mut self, values: impl Into<Vec<f64>>) -> Self {
        if let InputRole::State { initial, .. } = &mut self.role {
            *initial = values.into();
        }
        self
    }
}

impl OutputTensor {
    /// A stream that yields `hop` samples per channel and inference.
    #[must_use]
    pub fn stream(name: impl Into<String>, hop: usize) -> Self {
        Self::new(
            name,
            OutputRole::Stream { hop, channels: None, latency: 0, declared_latency: None, decay: 0 },
        )
    }

    /// A tensor that the user may read after an inference.
    #[must_use]
    pub fn parameter(name: impl Into<String>) -> Self {
        Self::new(name, OutputRole::Parameter)
    }

    /// An output that feeds a state.
    #[must_use]
    pub fn state(name: impl Into<String>) -> Self {
        Self::new(name, OutputRole::State)
    }

    /// The same stream with this many channels. Other roles are left as they are.
    #[must_use]
    pub fn channels(mut self, count: usize) -> Self {
        if let OutputRole::Stream { channels, .. } = &mut self.role {
            *channels = Some(count);
        }
        self
    }

    /// The same stream, which the model itself delays by this many samples. Other roles are left as they are.
    #[must_use]
    pub fn latency(mut self, samples: u64) -> Self {
        if let OutputRole::Stream { latency, .. } = &mut self.role {
            *latency = samples;
        }
        self
    }

    /// The same stream with exactly this whole latency, the model's own included, kept by more zeros at its start: a session
    /// whose smallest latency is above it is refused. Other roles are left as they are.
    #[must_use]
    pub fn declared_latency(mut self, samples: u64) -> Self {
        if let OutputRole::Stream { declared_latency, .. } = &mut self.role {
            *declared_latency = Some(samples);
        }
        self
    }

    /// The same stream, on which the model sounds on for this many samples after the last input that its context holds: what a
    /// state rings, which nobody can read off a model. It makes the tail longer, nothing else. Other roles are left as
    /// they are.
    #[must_use]
    pub fn decay(mut self, samples: u64) -> Self {
        if let OutputRole::Stream { decay, .. } = &mut self.role {
            *decay = samples;
        }
        self
    }
}
