//! The checks: each takes a subject and comes to a verdict. A panic in one is its failure.

mod cost;
mod life;
mod load;
mod malformed;
mod memory;
mod run;
mod shape;
mod state;
mod tensor;
mod thread;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use anira_traits::Backend;

use crate::subject::Subject;
use crate::verdict::{Stop, Verdict, fail, outcome, skip};
use crate::{Property, Report, Row, Specimen};

/// One check at a time in a process: they count allocations and take times.
static TURN: Mutex<()> = Mutex::new(());

/// Checks every [`Property`] of a backend on every specimen. Blocks for seconds; starts threads, which end before it
/// returns; writes small files to the directory for temporary ones and removes them.
///
/// A panic of the backend's is caught and is a failure of its check. What ends the process cannot be caught: see
/// [`Specimen::excuse`].
pub fn check<B: Backend>(backend: &B, specimens: &[Specimen]) -> Report {
    report(backend, specimens, Property::ALL)
}

/// Checks one property of a backend on every specimen, as [`check`] does.
pub fn check_property<B: Backend>(backend: &B, specimens: &[Specimen], property: Property) -> Report {
    report(backend, specimens, &[property])
}

fn report<B: Backend>(backend: &B, specimens: &[Specimen], properties: &[Property]) -> Report {
    let mut rows = Vec::new();
    for (i, specimen) in specimens.iter().enumerate() {
        let other = specimens.get((i + 1) % specimens.len()).unwrap_or(specimen);
        let subject = Subject { backend, specimen, other };
        for property in properties {
            let (outcome, figures) = outcome(guarded(&subject, *property));
            rows.push(Row { specimen: specimen.name.clone(), property: *property, outcome, figures });
        }
    }
    let name = catch_unwind(AssertUnwindSafe(|| backend.name().to_owned()));
    Report { schema: 1, backend: name.unwrap_or_else(|_| "(its name panics)".into()), rows }
}

fn guarded<B: Backend>(subject: &Subject<'_, B>, property: Property) -> Verdict {
    if let Some(why) = subject.specimen.excuses.get(&property) {
        return skip(format!("excused: {why}"));
    }
    // A check that failed by a panic has left nothing behind that the next one uses.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    caught(|| one(subject, property))
}

/// A panic becomes a failure.
fn caught<T>(work: impl FnOnce() -> Verdict<T>) -> Verdict<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        fail(format!("panicked: {text}"))
    })
}

/// Waits for a scoped thread; its panic becomes a failure.
fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, Verdict<T>>) -> Verdict<T> {
    handle.join().unwrap_or_else(|panic| caught(|| std::panic::resume_unwind(panic)))
}

fn one<B: Backend>(subject: &Subject<'_, B>, property: Property) -> Verdict {
    match property {
        Property::Name => load::name(subject),
        Property::Loads => load::loads(subject),
        Property::UnknownOption => load::unknown_option(subject),
        Property::MissingFile => load::missing_file(subject),
        Property::MissingSource => load::missing_source(subject),
        Property::FileAndMemory => load::file_and_memory(subject),
        Property::MalformedEmpty => malformed::empty(subject),
        Property::MalformedCut => malformed::cut(subject),
        Property::MalformedFlipped => malformed::flipped(subject),
        Property::MalformedRandom => malformed::random(subject),
        Property::MalformedForeign => malformed::foreign(subject),
        Property::MalformedOwn => malformed::own(subject),
        Property::MalformedNamed => malformed::named(subject),
        Property::Signature => shape::signature(subject),
        Property::Tensors => shape::tensors(subject),
        Property::Types => tensor::types(subject),
        Property::Layouts => tensor::layouts(subject),
        Property::WrongRequests => shape::wrong_requests(subject),
        Property::IgnoredOutputs => shape::ignored_outputs(subject),
        Property::OpenAxes => shape::open_axes(subject),
        Property::Reference => run::reference(subject),
        Property::InputsKept => run::inputs_kept(subject),
        Property::OutputsWritten => run::outputs_written(subject),
        Property::Deterministic => run::deterministic(subject),
        Property::NotStale => run::not_stale(subject),
        Property::OrderOfRuns => memory::order_of_runs(subject),
        Property::Reset => memory::reset(subject),
        Property::WarmUp => memory::warm_up(subject),
        Property::States => state::states(subject),
        Property::AfterFailure => memory::after_failure(subject),
        Property::EnginesApart => life::engines_apart(subject),
        Property::ParallelEngines => thread::parallel_engines(subject),
        Property::HandOver => thread::hand_over(subject),
        Property::TwoModels => life::two_models(subject),
        Property::Scope => thread::scope(subject),
        Property::ModelDropped => life::model_dropped(subject),
        Property::Allocations => cost::allocations(subject),
        Property::NoLeak => cost::no_leak(subject),
        Property::Timing => cost::timing(subject),
    }
}

/// An error of one of these kinds, and what it says.
fn expect_error<T>(
    what: &str,
    result: anira_traits::Result<T>,
    kinds: &[anira_traits::ErrorKind],
) -> Verdict<String> {
    match result {
        Ok(_) => fail(format!("{what} was accepted")),
        Err(error) if kinds.contains(&error.kind()) => Ok(error.to_string()),
        Err(error) => {
            let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
            Err(Stop::from(error).at(&format!("{what} should be refused as {}, but is", names.join(" or "))))
        }
    }
}
