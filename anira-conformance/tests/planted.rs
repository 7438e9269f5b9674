//! The kit itself: a right backend passes every check, and each planted fault is noticed by the check that is named for it.

mod support;

use anira_conformance::*;
use anira_traits::{InferenceConfig, InputTensor, ModelSource, OutputTensor, TensorData};
use support::{Fault, Toy, file, scopes};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const N: usize = 16;

/// The peak of a run is the gain of the next one.
fn config() -> InferenceConfig {
    let builder = InferenceConfig::builder()
        .input(InputTensor::stream("x", N).shape([1, N]).channels(1))
        .input(InputTensor::state("gain", "peak").initial([1.0]).shape([1]))
        .output(OutputTensor::stream("y", N).shape([1, N]))
        .output(OutputTensor::state("peak").shape([1]));
    builder.build().unwrap_or_else(|error| unreachable!("{error}"))
}

fn specimen(name: &str, a: f32, b: f32) -> Specimen {
    Specimen::new(name, ModelSource::memory(file(a, b)))
        .config(config())
        .shapes([vec![1, N], vec![1]], [vec![1, N], vec![1]])
        .shapes([vec![1, 5], vec![1]], [vec![1, 5], vec![1]])
        .failing([TensorData::F32(vec![0.5; N]), TensorData::F32(vec![2e6])])
        .malformed("a weight that is infinite", file(f32::INFINITY, 1.0))
        .max_allocations(0)
}

/// With answers worked out by hand, for what remembers nothing.
fn plain() -> Vec<Specimen> {
    let x: Vec<f32> = (0..N).map(|i| i as f32 / 16.0).collect();
    let y: Vec<f32> = x.iter().map(|x| 2.0 * (x + 0.5 * x * x)).collect();
    let (inputs, peak) = ([TensorData::F32(x), TensorData::F32(vec![2.0])], TensorData::F32(vec![y[N - 1]]));
    vec![
        specimen("one", 1.0, 0.5).reference(inputs, [TensorData::F32(y), peak], 1e-6),
        specimen("two", 2.0, -1.0),
    ]
}

/// Without them.
fn remembering() -> Vec<Specimen> {
    vec![specimen("one", 1.0, 0.5), specimen("two", 2.0, -1.0)]
}

conformance_tests!(right, Toy::<{ scopes::RIGHT }>::new(Fault::None, false), plain());
conformance_tests!(right_with_memory, Toy::<{ scopes::NONE }>::new(Fault::None, true), remembering());

/// What could not be checked, by property.
fn not_applicable(report: &Report) -> Vec<Property> {
    let mut all: Vec<_> = report
        .rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::NotApplicable { .. }))
        .map(|row| row.property)
        .collect();
    all.dedup();
    all
}

#[test]
fn a_right_backend_passes_every_check() {
    let report = check(&Toy::<{ scopes::RIGHT }>::new(Fault::None, false), &plain()[..1]);
    assert!(report.passed(), "{report}");
    assert_eq!(not_applicable(&report), []);
    let report = check(&Toy::<{ scopes::NONE }>::new(Fault::None, true), &remembering()[..1]);
    assert!(report.passed(), "{report}");
    assert_eq!(not_applicable(&report), [Property::Reference, Property::OrderOfRuns, Property::Scope]);
    assert_eq!(report.rows.len(), Property::ALL.len());
}

/// Every fault, whether the toy remembers, and the check that has to notice.
const PLANTED: &[(Fault, bool, Property)] = &[
    (Fault::NameWithBlank, false, Property::Name),
    (Fault::LoadsNothing, false, Property::Loads),
    (Fault::OptionAccepted, false, Property::UnknownOption),
    (Fault::OptionNotNamed, false, Property::UnknownOption),
    (Fault::MissingFileIsMalformed, false, Property::MissingFile),
    (Fault::SourceNotNeeded, false, Property::MissingSource),
    (Fault::MemoryLosesWeights, false, Property::FileAndMemory),
    (Fault::EmptyAccepted, false, Property::MalformedEmpty),
    (Fault::CutAccepted, false, Property::MalformedCut),
    (Fault::CutPanics, false, Property::MalformedCut),
    (Fault::FlipPanics, false, Property::MalformedFlipped),
    (Fault::HeaderIsEnough, false, Property::MalformedRandom),
    (Fault::ForeignAccepted, false, Property::MalformedForeign),
    (Fault::WildWeightsAccepted, false, Property::MalformedOwn),
    (Fault::PathForgotten, false, Property::MalformedNamed),
    (Fault::NamesTwice, false, Property::Signature),
    (Fault::NameChanges, false, Property::Signature),
    (Fault::LongerTensors, false, Property::Tensors),
    (Fault::Narrowed, false, Property::Types),
    (Fault::AxisMore, false, Property::Layouts),
    (Fault::ExtentAccepted, false, Property::WrongRequests),
    (Fault::CountAccepted, false, Property::WrongRequests),
    (Fault::HugePanics, false, Property::WrongRequests),
    (Fault::IgnoredIsRefused, false, Property::IgnoredOutputs),
    (Fault::FirstShapeForAll, false, Property::OpenAxes),
    (Fault::SlightlyOff, false, Property::Reference),
    (Fault::InputOverwritten, false, Property::InputsKept),
    (Fault::InputOverwritten, true, Property::InputsKept),
    (Fault::HalfWritten, false, Property::OutputsWritten),
    (Fault::HalfWritten, true, Property::OutputsWritten),
    (Fault::WrittenOnce, false, Property::OutputsWritten),
    (Fault::WrittenOnce, true, Property::OutputsWritten),
    (Fault::Dice, false, Property::Deterministic),
    (Fault::Dice, true, Property::Deterministic),
    (Fault::OneRunBehind, false, Property::NotStale),
    (Fault::OneRunBehind, true, Property::NotStale),
    (Fault::RemembersSecretly, true, Property::OrderOfRuns),
    (Fault::ResetForgotten, true, Property::Reset),
    (Fault::WarmthStays, false, Property::WarmUp),
    (Fault::WarmthStays, true, Property::WarmUp),
    (Fault::StateNotTaken, false, Property::States),
    (Fault::StatesShared, false, Property::States),
    (Fault::RemembersSecretly, true, Property::States),
    (Fault::FailureStays, false, Property::AfterFailure),
    (Fault::FailureStays, true, Property::AfterFailure),
    (Fault::SharedOutput, false, Property::EnginesApart),
    (Fault::SharedMemory, true, Property::EnginesApart),
    (Fault::NotAtOnce, false, Property::ParallelEngines),
    (Fault::BoundToThread, false, Property::HandOver),
    (Fault::LastModelWins, false, Property::TwoModels),
    (Fault::ModelNeeded, false, Property::ModelDropped),
    (Fault::Allocates, false, Property::Allocations),
    (Fault::Leaks, false, Property::NoLeak),
];

#[test]
fn every_planted_fault_is_noticed_by_the_check_named_for_it() {
    for (fault, remembers, property) in PLANTED {
        let specimens = if *remembers { remembering() } else { plain() };
        let report = check_property(&Toy::<{ scopes::NONE }>::new(*fault, *remembers), &specimens, *property);
        assert!(!report.passed(), "{fault:?}, remembers {remembers}: {report}");
    }
}

fn scope_outcome<const SCOPE: usize>() -> Report {
    check_property(&Toy::<SCOPE>::new(Fault::None, false), &plain(), Property::Scope)
}

#[test]
fn a_scope_that_calls_its_body_twice_or_never_is_noticed() {
    for (report, words) in
        [(scope_outcome::<{ scopes::TWICE }>(), "2 times"), (scope_outcome::<{ scopes::NEVER }>(), "0 times")]
    {
        assert!(!report.passed() && report.to_string().contains(words), "{report}");
    }
}

#[test]
fn there_is_a_fault_for_every_check_that_can_fail() {
    let unseen: Vec<_> = Property::ALL
        .iter()
        .filter(|property| !PLANTED.iter().any(|planted| planted.2 == **property))
        .collect();
    assert_eq!(
        unseen,
        [&Property::Scope, &Property::Timing],
        "the scope has a test of its own; timing never fails"
    );
}

#[test]
fn an_excuse_is_told_and_a_lack_is_no_success() {
    let excused = [plain().remove(0).excuse(Property::MalformedCut, "the library ends the process")];
    let backend = Toy::<{ scopes::NONE }>::new(Fault::CutPanics, false);
    let report = check_property(&backend, &excused, Property::MalformedCut);
    let why = Outcome::NotApplicable { why: "excused: the library ends the process".into() };
    assert_eq!(report.outcomes(Property::MalformedCut).collect::<Vec<_>>(), [&why]);
    // One open axis and no shapes to fill it: nothing can be run, and that is a failure.
    let bare = [Specimen::new("bare", ModelSource::memory(file(1.0, 0.5)))];
    let right = Toy::<{ scopes::NONE }>::new(Fault::None, false);
    let report = check_property(&right, &bare, Property::Deterministic);
    assert!(report.to_string().contains("Specimen::shapes"), "{report}");
    assert!(!report.passed());
    assert!(!check(&right, &[]).passed(), "no specimen, nothing checked");
}

#[test]
fn inputs_that_cannot_vary_are_told() {
    let still = plain().into_iter().map(|s| s.range(0, 0.5..=0.5).range(1, 1.0..=1.0)).collect::<Vec<_>>();
    let backend = Toy::<{ scopes::NONE }>::new(Fault::OneRunBehind, false);
    let report = check_property(&backend, &still, Property::NotStale);
    assert!(report.to_string().contains("cannot be varied"), "{report}");
}
