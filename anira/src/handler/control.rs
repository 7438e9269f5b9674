//! [`Control`]: what any thread may do with a session while it sounds.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use anira_scheduler::{Telemetry, TelemetrySnapshot};
use anira_traits::{Error, ErrorKind, Result};

use super::parameter::{Parameter, Reading};
use super::switcher::Choice;
use crate::bind::Binding;

/// How often the last error is asked for while another thread has it, and how long in between.
const LOOKS: usize = 1000;
const LOOK: Duration = Duration::from_micros(100);

/// What a session's halves share: parameters, readings, counters, the last error.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) parameters: Vec<Parameter>,
    pub(super) readings: Vec<Reading>,
    pub(super) telemetry: Telemetry,
    pub(super) choice: Choice,
    last_error: Mutex<Option<Error>>,
}

impl Shared {
    pub(super) fn new(binding: &Binding, engines: usize) -> Self {
        Self {
            parameters: binding.parameters.iter().map(Parameter::new).collect(),
            readings: binding.readings.iter().map(Reading::new).collect(),
            telemetry: Telemetry::default(),
            choice: Choice::new(engines),
            last_error: Mutex::new(None),
        }
    }

    /// Keeps an error for whoever asks. Worker: never waits; while somebody is reading, the error is left out.
    pub(super) fn report(&self, error: Error) {
        if let Ok(mut last) = self.last_error.try_lock() {
            *last = Some(error);
        }
    }
}

/// A handle to a session for any number of threads, none of them the audio thread: parameters, readings, counters, errors.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The names of the parameters and how many values each has.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&str, usize)> {
        self.shared.parameters.iter().map(|p| (p.name.as_str(), p.len())).collect()
    }

    /// Sets a parameter, whole: one value per element, or one for all. It applies from the next hop that is submitted. Any
    /// thread; lock-free, and no inference ever sees a mixture of two settings.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: no such parameter, a wrong number of values, a value that is not finite.
    pub fn set_parameter(&self, name: &str, values: &[f64]) -> Result<()> {
        let parameter = self.shared.parameters.iter().find(|p| p.name == name).ok_or_else(|| {
            let known: Vec<_> = self.shared.parameters.iter().map(|p| p.name.as_str()).collect();
            Error::config("parameter", format_args!("`{name}`"), format_args!("one of: {}", known.join(", ")))
        })?;
        let at = |e: Error| e.at(format!("parameter `{name}`"));
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(at(Error::config("value", bad, "finite numbers")));
        }
        let len = parameter.len();
        let all = match values {
            [one] => vec![*one; len],
            values if values.len() == len => values.to_vec(),
            values => {
                return Err(at(Error::config("values", format_args!("{} values", values.len()), len)));
            }
        };
        // Cells are short only while eight threads are inside at once; each leaves after a few stores.
        while !parameter.set(&all) {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// A parameter's values as the audio thread last applied them. Any thread but the audio thread.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Vec<f64>> {
        self.shared.parameters.iter().find(|p| p.name == name).map(Parameter::current)
    }

    /// What the last collected inference said in the output `name`; `None` if there is no such reading or no inference
    /// yet. Any thread but the audio thread.
    #[must_use]
    pub fn reading(&self, name: &str) -> Option<Vec<f64>> {
        self.shared.readings.iter().find(|r| r.name == name).and_then(Reading::read)
    }

    /// Switches to another engine of the session, as [`Audio::set_engine`](crate::Audio::set_engine) does. Any thread; wait-free but
    /// for the error. Who asks last, here or there, is answered.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: there is no engine of this number.
    pub fn set_engine(&self, engine: usize) -> Result<()> {
        let choice = &self.shared.choice;
        if choice.ask(engine) {
            return Ok(());
        }
        let right = format!("from 0 to {}, as the handler was built", choice.engines() - 1);
        Err(Error::config("engine", engine, right))
    }

    /// Which engine is asked for, which one is heard, and what came of it so far. Any thread; wait-free.
    #[must_use]
    pub fn switching(&self) -> Switching {
        let choice = &self.shared.choice;
        Switching {
            asked: choice.asked(),
            heard: choice.heard(),
            switched: choice.switched(),
            given_up: choice.given_up(),
        }
    }

    /// The session's counters. Any thread; allocates.
    #[must_use]
    pub fn telemetry(&self) -> TelemetrySnapshot {
        self.shared.telemetry.snapshot()
    }

    /// Takes the last error that an inference met, if any came since the last call. Any thread but the audio thread.
    #[must_use]
    pub fn last_error(&self) -> Option<Error> {
        // Who has it keeps it for some moves only; or, in a fork, for ever, if that thread was left behind.
        (0..LOOKS).find_map(|_| match self.shared.last_error.try_lock() {
            Ok(mut last) => Some(last.take()),
            Err(TryLockError::Poisoned(last)) => Some(last.into_inner().take()),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(LOOK);
                None
            }
        })?
    }
}

/// The state of a session's engines, see [`Control::switching`]. The four are read one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Switching {
    /// The engine that was asked for last.
    pub asked: usize,
    /// The engine that answers the hops that are submitted now; during a cross-fade, the one that it goes out from.
    pub heard: usize,
    /// Switches that came to their end.
    pub switched: u64,
    /// Switches that were given up, or taken back, because the engine failed: [`Control::last_error`] says why.
    pub given_up: u64,
}

impl Shared {
    pub(super) fn parameter_index(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|p| p.name == name)
    }
}

/// The error for a panic's payload.
pub(super) fn panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Error::new(ErrorKind::Panicked, text).at("engine")
}
