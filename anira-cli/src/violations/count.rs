//! A model on an engine, run where a worker would run it, each inference counted by itself.

use std::io::Write;
use std::path::Path;

use anira::traits::{Backend, Engine, Model};
use anira::{EngineOf, Error, ErrorKind, InferenceHandler, Result};
use anira_intercept::{Counted, Series, Unavailable, Watch, watched};

use crate::engine::{self, EngineArg, Task};
use crate::process::setup::Setup;

/// What a model did on an engine.
#[derive(Debug)]
pub(super) struct Measured {
    /// Loading the model and making an engine of it, its trial runs included.
    pub(super) prepared: Counted,
    pub(super) series: Series,
}

/// Runs a model so many times.
pub(super) fn count(
    model: &Path,
    engine: EngineArg,
    iterations: u32,
    log: &mut impl Write,
) -> Result<Measured> {
    let setup = Setup::of(model, engine)?;
    let name = model.display().to_string();
    if let Some(why) = &setup.choice.why {
        writeln!(log, "{name}: engine: {why}")?;
    }
    for note in &setup.notes {
        writeln!(log, "{name}: note: {note}")?;
    }
    let choice = setup.choice.engine;
    let (prepared, runs) = engine::with(choice, Runs { setup, iterations }).map_err(|error| {
        // Unless it says so itself.
        if error.to_string().contains(&name) { error } else { error.at(name.clone()) }
    })?;
    Ok(Measured { prepared, series: Series { engine: choice.name().to_owned(), model: name, runs } })
}

struct Runs {
    setup: Setup,
    iterations: u32,
}

impl Task for Runs {
    type Output = (Counted, Vec<Counted>);

    fn run<B: Backend>(self, backend: B) -> Result<Self::Output> {
        watched(|watch| self.on(watch, backend)).map_err(unavailable)?
    }
}

fn unavailable(error: Unavailable) -> Error {
    Error::new(ErrorKind::Unsupported, error.to_string()).at("anira violations")
}

impl Runs {
    fn on<B: Backend>(self, watch: &Watch, backend: B) -> Result<(Counted, Vec<Counted>)> {
        let Setup { config, source, options, .. } = self.setup;
        let builder = InferenceHandler::builder(config).backend(backend).source(source).options(options);
        let (handler, prepared) = watch.count(|| builder.build()).map_err(unavailable)?;
        let handler = handler?;
        let request = handler.engine_request();
        let mut engine = handler.model().engine(request)?;
        request.put(&mut engine);
        let open = |index: &usize| request.values.get(*index).is_none_or(Vec::is_empty);
        let sounds: Vec<usize> = (0..request.inputs.len()).filter(open).collect();
        let mut random = fastrand::Rng::with_seed(1);
        let mut runs = Vec::with_capacity(self.iterations as usize);
        let mut outcome = Ok(());
        let mut body = || {
            outcome = (0..self.iterations).try_for_each(|_| {
                for index in &sounds {
                    let Some(mut view) = engine.input(*index) else { continue };
                    (0..view.len()).for_each(|at| view.set_number(at, random.f64() * 2.0 - 1.0));
                }
                let (result, counted) = watch.count(|| engine.run()).map_err(unavailable)?;
                result?;
                runs.push(counted);
                Ok(())
            });
        };
        match EngineOf::<B>::SCOPE {
            Some(scope) => scope(&mut body),
            None => body(),
        }
        outcome.map(|()| (prepared, runs))
    }
}
