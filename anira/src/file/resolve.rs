//! From a file to what one engine needs: configuration, model source, options.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use anira_traits::{Error, HopRange, InferenceConfig, ModelSource, Result, SchedulingAllowance};

use super::document::{EngineEntry, Override};
use super::scalar::{Allowance, AllowanceWord};
use super::{ConfigFile, VERSION};

/// What a configuration file says for one engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// What the tensors mean, validated.
    pub config: InferenceConfig,
    /// The engine's model file; [`ModelSource::None`] where the file names none.
    pub source: ModelSource,
    /// The engine's options, as text.
    pub options: BTreeMap<String, String>,
}

impl ConfigFile {
    /// What the file says for `engine`. Relative paths in it are taken from `base_dir`, the folder of the file itself.
    ///
    /// The engine `bypass` needs no table of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](anira_traits::ErrorKind::Config), naming file, field, value and what would be right. Model
    /// files are not looked at.
    pub fn resolve(&self, engine: &str, base_dir: &Path) -> Result<Resolved> {
        self.resolved(engine, base_dir).map_err(|error| self.said_of_file(error))
    }

    fn resolved(&self, engine: &str, base_dir: &Path) -> Result<Resolved> {
        let nothing = EngineEntry::default();
        let entry = match self.engine.get(engine) {
            Some(entry) => entry,
            None if engine == "bypass" => &nothing,
            None => return Err(self.lacks_engine(engine)),
        };
        let in_engine = |error: Error| error.at(format!("engine.{engine}"));
        check_overrides("input", &entry.input, self.input.iter().map(|t| t.name.as_str()))
            .map_err(in_engine)?;
        check_overrides("output", &entry.output, self.output.iter().map(|t| t.name.as_str()))
            .map_err(in_engine)?;
        let source = match &entry.file {
            None => ModelSource::None,
            Some(path) if path.as_os_str().is_empty() => {
                let right = "the path of the model file, relative to this one";
                return Err(in_engine(Error::config("file", "empty", right)));
            }
            Some(path) => ModelSource::file(base_dir.join(path)),
        };
        let options = entry.options.iter().map(|(name, value)| (name.clone(), value.text())).collect();
        Ok(Resolved { config: self.config(entry)?, source, options })
    }

    fn config(&self, engine: &EngineEntry) -> Result<InferenceConfig> {
        let mut builder = InferenceConfig::builder();
        for tensor in &self.input {
            builder = builder.input(tensor.tensor(engine.input.get(&tensor.name))?);
        }
        for tensor in &self.output {
            builder = builder.output(tensor.tensor(engine.output.get(&tensor.name))?);
        }
        if let Some(ms) = self.max_inference_ms {
            builder = builder.max_inference(milliseconds("max_inference_ms", ms)?);
        }
        match self.scheduling_allowance_ms {
            Some(Allowance::Milliseconds(ms)) => {
                builder = builder.scheduling_allowance(milliseconds("scheduling_allowance_ms", ms)?);
            }
            Some(Allowance::Word(AllowanceWord::Auto)) => {
                builder = builder.scheduling_allowance(SchedulingAllowance::Auto);
            }
            None => {}
        }
        if let Some(inferences) = self.warm_up {
            builder = builder.warm_up(inferences);
        }
        if let Some(count) = self.engines {
            builder = builder.engines(count);
        }
        if let Some(ratio) = self.blocking_ratio {
            builder = builder.blocking_ratio(ratio);
        }
        if let Some(priority) = self.priority {
            builder = builder.priority(priority);
        }
        if let Some(hertz) = self.sample_rate {
            builder = builder.sample_rate(hertz);
        }
        if let Some(hops) = self.max_catch_up {
            builder = builder.max_catch_up(hops);
        }
        if let Some(policy) = self.late_policy {
            builder = builder.late_policy(policy.into());
        }
        if let Some(samples) = self.late_fade {
            builder = builder.late_fade(samples);
        }
        if let Some(samples) = self.pre_roll {
            builder = builder.pre_roll(samples);
        }
        if let Some(samples) = self.lead_in {
            builder = builder.lead_in(samples);
        }
        if let Some(entry) = self.hop_range {
            let mut range = HopRange::new(entry.from, entry.to).multiple(entry.multiple.unwrap_or(1));
            if let Some(ms) = entry.shortest_takes_ms {
                let time = milliseconds("shortest_takes_ms", ms).map_err(|e| e.at("hop_range"))?;
                range = range.shortest_takes(time);
            }
            builder = builder.hop_range(range);
        }
        builder = builder.skip_silence(self.skip_silence.unwrap_or(false));
        builder = builder.align_outputs(self.align_outputs.unwrap_or(false));
        builder.build()
    }

    fn lacks_engine(&self, engine: &str) -> Error {
        let right = if self.engine.is_empty() {
            format!("add [engine.{engine}] with file = \"model file\"")
        } else {
            let named: Vec<&str> = self.engines().collect();
            format!("the file has {}; choose one of these, or add [engine.{engine}]", named.join(", "))
        };
        Error::config(format!("engine.{engine}"), "missing", right)
    }

    /// The error, said of the file that this was read from.
    pub(super) fn said_of_file(&self, error: Error) -> Error {
        match &self.origin {
            Some(path) => error.at(path.display().to_string()),
            None => error,
        }
    }
}

/// A time in milliseconds, to the nanosecond.
pub(super) fn milliseconds(field: &'static str, value: f64) -> Result<Duration> {
    const LONGEST: f64 = 3_600_000.0;
    if !(0.0..=LONGEST).contains(&value) {
        return Err(Error::config(field, value, format_args!("from 0 to {LONGEST} milliseconds")));
    }
    Ok(Duration::from_nanos((value * 1e6).round() as u64))
}

fn check_overrides<'a>(
    table: &str,
    overrides: &BTreeMap<String, Override>,
    tensors: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let tensors: Vec<&str> = tensors.collect();
    let known: HashSet<&str> = tensors.iter().copied().collect();
    match overrides.keys().find(|name| !known.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let right = format!("the [[{table}]] tensors are: {}", tensors.join(", "));
            Err(Error::config(format!("{table}.{name}"), "not a tensor of this file", right))
        }
    }
}

/// Refuses a version that this crate does not read. `found` is the version as the file spells it.
pub(super) fn check_version(found: Option<String>) -> Result<()> {
    match found {
        Some(version) if version == VERSION.to_string() => Ok(()),
        Some(version) => Err(Error::config("version", version, format_args!("this release reads {VERSION}"))),
        None => Err(Error::config("version", "missing", format_args!("write version = {VERSION}"))),
    }
}
