//! What an author gives: a model, and what is known about it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anira_traits::{EngineRequest, InferenceConfig, LoadRequest, ModelSource, Signature, TensorData};

use crate::Property;

/// Answers from elsewhere, for one run.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) inputs: Vec<TensorData>,
    pub(crate) outputs: Vec<TensorData>,
    pub(crate) tolerance: f64,
}

/// A model on which a backend is checked, and what its author knows about it.
///
/// A name and a source are enough if all extents are known; the rest makes checks possible or stricter.
///
/// ```
/// use anira_conformance::Specimen;
/// use anira_traits::ModelSource;
///
/// let specimen = Specimen::new("gain", ModelSource::file("models/gain.onnx"))
///     .option("optimize", "true")
///     .shapes([vec![1, 1, 64]], [vec![1, 1, 64]])
///     .shapes([vec![1, 1, 480]], [vec![1, 1, 480]]);
/// ```
#[derive(Clone, Debug)]
pub struct Specimen {
    pub(crate) name: String,
    pub(crate) source: ModelSource,
    pub(crate) request: LoadRequest,
    pub(crate) shapes: Vec<EngineRequest>,
    pub(crate) ranges: BTreeMap<usize, (f64, f64)>,
    pub(crate) constant_outputs: Vec<usize>,
    pub(crate) constant_elements: Vec<usize>,
    pub(crate) references: Vec<Reference>,
    pub(crate) failing: Option<Vec<TensorData>>,
    pub(crate) malformed: Vec<(String, Vec<u8>)>,
    pub(crate) signature: Option<Signature>,
    pub(crate) max_allocations: Option<u64>,
    pub(crate) excuses: BTreeMap<Property, String>,
}

impl Specimen {
    /// A specimen of this name. Of a source without a file ([`ModelSource::None`]) nothing about files is checked.
    #[must_use]
    pub fn new(name: impl Into<String>, source: ModelSource) -> Self {
        Self {
            name: name.into(),
            source,
            request: LoadRequest::new(),
            shapes: Vec::new(),
            ranges: BTreeMap::new(),
            constant_outputs: Vec::new(),
            constant_elements: Vec::new(),
            references: Vec::new(),
            failing: None,
            malformed: Vec::new(),
            signature: None,
            max_allocations: None,
            excuses: BTreeMap::new(),
        }
    }

    /// An option to load it with.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request = self.request.option(name, value);
        self
    }

    /// A session's configuration to load it with: `layouts` and `states` are checked by it, and backends that make their model up
    /// do so.
    #[must_use]
    pub fn config(mut self, config: InferenceConfig) -> Self {
        self.request = self.request.config(config);
        self
    }

    /// The extents of each input and output, as a session would ask for them. The first call is what most checks use;
    /// more calls say what else fits (`open_axes`). Without any, the signature has to name every extent.
    #[must_use]
    pub fn shapes(
        mut self,
        inputs: impl IntoIterator<Item = Vec<usize>>,
        outputs: impl IntoIterator<Item = Vec<usize>>,
    ) -> Self {
        let outputs = outputs.into_iter().map(Some).collect();
        self.shapes.push(EngineRequest::new(inputs.into_iter().collect(), outputs));
        self
    }

    /// The values that input `index` may take. Unless set: −1 to 1 for floats, 0 to 100 for integers.
    #[must_use]
    pub fn range(mut self, index: usize, values: RangeInclusive<f64>) -> Self {
        self.ranges.insert(index, (*values.start(), *values.end()));
        self
    }

    /// Output `index` does not always change when the inputs of its run do.
    #[must_use]
    pub fn constant_output(mut self, index: usize) -> Self {
        self.constant_outputs.push(index);
        self
    }

    /// Some elements of output `index` are the same in every run (padding, a clipped value); the others are not.
    #[must_use]
    pub fn constant_elements(mut self, index: usize) -> Self {
        self.constant_elements.push(index);
        self
    }

    /// Inputs and the outputs that belong to them, in the first of the [`shapes`](Self::shapes). Several are runs of one
    /// engine, one after the other. An element may differ by `tolerance` times the largest magnitude in its tensor (or
    /// times 1, if that is larger).
    #[must_use]
    pub fn reference(
        mut self,
        inputs: impl IntoIterator<Item = TensorData>,
        outputs: impl IntoIterator<Item = TensorData>,
        tolerance: f64,
    ) -> Self {
        let (inputs, outputs) = (inputs.into_iter().collect(), outputs.into_iter().collect());
        self.references.push(Reference { inputs, outputs, tolerance });
        self
    }

    /// Inputs with which a run is an error (an index beyond a table, a number that a type cannot hold).
    #[must_use]
    pub fn failing(mut self, inputs: impl IntoIterator<Item = TensorData>) -> Self {
        self.failing = Some(inputs.into_iter().collect());
        self
    }

    /// A file that is malformed in a way the kit cannot think of: loading it, or making an engine of it, is an error.
    #[must_use]
    pub fn malformed(mut self, what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.malformed.push((what.into(), bytes.into()));
        self
    }

    /// What the signature has to be.
    #[must_use]
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// How often a run may allocate on its own thread. Without a bound it is counted and reported.
    #[must_use]
    pub fn max_allocations(mut self, calls: u64) -> Self {
        self.max_allocations = Some(calls);
        self
    }

    /// Leaves a check out, and says why in the report: an engine whose library ends the process on flipped bytes, say.
    #[must_use]
    pub fn excuse(mut self, property: Property, why: impl Into<String>) -> Self {
        self.excuses.insert(property, why.into());
        self
    }
}
