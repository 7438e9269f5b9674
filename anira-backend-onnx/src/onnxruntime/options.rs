//! What a user may say of a session, and what anira says: one thread, the caller's.

use anira_traits::{Error, LoadRequest, Result};
use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::{fault, provider, runtime};

/// Options of our own.
const OWN: [&str; 4] = ["optimize", "providers", "memory_pattern", "deterministic"];

/// Entries of ONNX Runtime's configuration that are passed on as they are: those that change how it computes. Left out are threads
/// and spinning, which anira decides, flush-to-zero, which is the worker's, and whatever names files.
const ENTRIES: [&str; 24] = [
    "session.disable_prepacking",
    "session.disable_aot_function_inlining",
    "session.disable_cpu_ep_fallback",
    "session.disable_quant_qdq",
    "session.disable_double_qdq_remover",
    "session.disable_qdq_constant_folding",
    "session.enable_quant_qdq_cleanup",
    "session.enable_dq_matmulnbits_fusion",
    "session.qdq_matmulnbits_accuracy_level",
    "session.qdq_matmulnbits_block_size",
    "session.qdqisint8allowed",
    "session.x64quantprecision",
    "session.dynamic_block_base",
    "session.graph_optimizations_loop_level",
    "session.function_expansion_byte_limit",
    "session.function_expansion_node_limit",
    "session.strict_shape_type_inference",
    "session.use_device_allocator_for_initializers",
    "optimization.constant_folding_max_output_size_in_bytes",
    "optimization.disable_specified_optimizers",
    "optimization.enable_cast_chain_elimination",
    "optimization.enable_gelu_approximation",
    "mlas.nchwc_depthwise_sliding",
    "mlas.qnbit.force_fp32",
];

/// What was asked for, read and checked.
#[derive(Clone)]
pub(crate) struct Options {
    level: GraphOptimizationLevel,
    providers: Vec<ExecutionProviderDispatch>,
    memory_pattern: bool,
    deterministic: bool,
    entries: Vec<(String, String)>,
}

impl Options {
    /// Reads a request's options.
    ///
    /// # Errors
    /// [`Config`](anira_traits::ErrorKind::Config) for a name or value that is none,
    /// [`NotBuilt`](anira_traits::ErrorKind::NotBuilt) for a provider whose feature is off.
    pub(crate) fn read(request: &LoadRequest) -> Result<Self> {
        request.refuse_unknown_options(&[&OWN[..], &ENTRIES].concat())?;
        let own = |name: &str| request.options.get(name).map(String::as_str);
        let entry = |(name, _): &(&String, &String)| ENTRIES.contains(&name.as_str());
        Ok(Self {
            level: level(own("optimize"))?,
            providers: own("providers").map_or(Ok(Vec::new()), provider::parse)?,
            memory_pattern: switch("memory_pattern", own("memory_pattern"), true)?,
            deterministic: switch("deterministic", own("deterministic"), false)?,
            entries: request.options.iter().filter(entry).map(|(n, v)| (n.clone(), v.clone())).collect(),
        })
    }

    /// A session in the making: sequential, on the thread that runs it, without threads of its own.
    ///
    /// # Errors
    /// Those of the library; [`Unsupported`](anira_traits::ErrorKind::Unsupported) for a provider that this library has not.
    pub(crate) fn builder(&self) -> Result<SessionBuilder> {
        let mut builder = self.plain(runtime::environment()?).map_err(fault::option)?;
        for (name, value) in &self.entries {
            builder = builder
                .with_config_entry(name, value)
                .map_err(|error| fault::option(error).at(format!("options.{name}")))?;
        }
        if self.providers.is_empty() {
            return Ok(builder);
        }
        builder
            .with_execution_providers(&self.providers)
            .map_err(|error| fault::option(error).at("options.providers"))
    }

    /// With what can be said of every session.
    fn plain(&self, environment: &Environment) -> ort::Result<SessionBuilder> {
        Ok(Session::builder(environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_memory_pattern(self.memory_pattern)?
            .with_deterministic_compute(self.deterministic)?
            .with_optimization_level(self.level)?)
    }
}

fn switch(name: &str, value: Option<&str>, unset: bool) -> Result<bool> {
    match value {
        None => Ok(unset),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => {
            let field = format!("options.{name}");
            Err(Error::config(field, format_args!("`{other}`"), "`true` or `false`"))
        }
    }
}

fn level(name: Option<&str>) -> Result<GraphOptimizationLevel> {
    Ok(match name {
        Some("none") => GraphOptimizationLevel::Disable,
        Some("basic") => GraphOptimizationLevel::Level1,
        Some("extended") => GraphOptimizationLevel::Level2,
        None | Some("all") => GraphOptimizationLevel::All,
        Some(other) => {
            let right = "`none`, `basic`, `extended` or `all`";
            return Err(Error::config("options.optimize", format_args!("`{other}`"), right));
        }
    })
}
