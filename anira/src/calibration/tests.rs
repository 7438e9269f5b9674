use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::times::numbers;
use super::*;
use crate::backends::FnBackend;
use crate::prelude::*;
use anira_traits::{DType, Signature, TensorInfo};

const HOP: usize = 64;

/// A calibration of an engine whose slot `n` takes `time(n)` nanoseconds of a clock that nothing else moves.
fn of(time: impl Fn(u64) -> u64 + Clone + Send + Sync + 'static, settings: Settings) -> Calibration {
    let (clock, slot) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tensor = |name| vec![TensorInfo::new(name, DType::F32, [1, 1, HOP].map(Some).to_vec())];
    let signature = Signature { inputs: tensor("x"), outputs: tensor("y") };
    let moved = clock.clone();
    let backend = FnBackend::new("virtual", signature, move || {
        let (clock, slot, time) = (moved.clone(), slot.clone(), time.clone());
        move |x: &anira_backend_custom::Inputs<'_>, y: &mut anira_backend_custom::Outputs<'_>| {
            clock.fetch_add(time(slot.fetch_add(1, Ordering::Relaxed)), Ordering::Relaxed);
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            Ok(())
        }
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", HOP))
        .output(OutputTensor::stream("y", HOP))
        .build()
        .unwrap();
    let settings = settings.without_pool().clock(move || clock.load(Ordering::Relaxed));
    calibrate(InferenceHandler::builder(config).backend(backend), &settings, |_| ()).unwrap()
}

fn settings() -> Settings {
    Settings::default().slots(256, 8192).limit(Duration::from_secs(1000)).blocks([64, 100]).max_engines(3)
}

/// The first slot of all is the trial of building.
fn warm(n: u64, cold: u64) -> u64 {
    if n < 100 { cold } else { 500_000 }
}

#[test]
fn a_steady_engine_is_measured_to_the_nanosecond() {
    let found = of(|_| 400_000, settings());
    assert!(found.is_stable(), "{found:?}");
    let slot = found.slot();
    assert_eq!((slot.hop, slot.warm_up, slot.total.count), (HOP, 32, 256));
    for figure in [slot.total.p50, slot.total.p99, slot.total.p999, slot.total.max] {
        assert_eq!((figure.nanos, figure.low, figure.high), (400_000, 400_000, 400_000));
    }
    assert_eq!((slot.preparation.max.nanos, slot.run.max.nanos, slot.finish.max.nanos), (0, 400_000, 0));
    // A quarter more.
    assert_eq!(found.max_inference, Duration::from_micros(500));
    let query = |block: u32| {
        crate::latency::LatencyQuery::new(
            block,
            48_000u32,
            64,
            64,
            crate::latency::Rational::new(1, 2000).unwrap(),
        )
    };
    for (row, block) in found.table.iter().zip([64, 100]) {
        let right = crate::latency::latency(&query(block)).unwrap();
        assert_eq!((row.block, row.engines, row.hop), (block as usize, 1, HOP));
        assert_eq!(row.latency.as_ref().unwrap().samples, right.samples);
        assert!((row.load - 0.375).abs() < 1e-9, "{}", row.load);
    }
}

#[test]
fn the_warm_up_is_found_and_left_out() {
    let found = of(|n| warm(n, 9_000_000), settings());
    let slot = found.slot();
    assert!(found.is_stable() && (100..=160).contains(&slot.warm_up), "{slot:?}");
    assert_eq!((slot.total.max.nanos, found.max_inference), (500_000, Duration::from_micros(630)));
}

#[test]
fn what_is_rare_is_in_the_tail() {
    let found = of(|n| if n % 50 == 0 { 800_000 } else { 400_000 }, settings());
    let total = &found.slot().total;
    assert!(found.is_stable(), "{found:?}");
    assert_eq!((total.p50.nanos, total.p99.nanos, total.max.nanos), (400_000, 800_000, 800_000));
    assert_eq!(found.max_inference, Duration::from_millis(1));
}

#[test]
fn a_time_that_grows_is_not_stable_and_is_told_early() {
    for percent in [1, 5, 20] {
        let found = of(move |n| 400_000 + 4000 * percent * n, settings());
        let slot = found.slot();
        assert!(!found.is_stable(), "{slot:?}");
        let Some(Unstable::Drifts { from, to }) = slot.unstable else { panic!("{:?}", slot.unstable) };
        assert!(to > from, "{from} {to}");
        let text = slot.unstable.as_ref().unwrap().to_string();
        assert!(text.starts_with("the median drifts from "), "{text}");
    }
}

#[test]
fn a_bimodal_time_is_not_stable() {
    let random = |n: u64| numbers(n)() % 2;
    let found = of(move |n| 400_000 + 3_600_000 * random(n), settings());
    assert!(!found.is_stable(), "{:?}", found.slot());
    // In a steady mixture whose median is that of the slower kind.
    let found = of(|n| if n % 10 < 3 { 400_000 } else { 4_000_000 }, settings());
    let unstable = found.slot().unstable.clone();
    assert_eq!(unstable, Some(Unstable::Scattered { p25: 400_000, p75: 4_000_000 }));
    // In long phases.
    let found = of(|n| if n / 96 % 2 == 0 { 400_000 } else { 4_000_000 }, settings());
    let unstable = found.slot().unstable.clone().unwrap();
    assert!(matches!(unstable, Unstable::NeverSettled { least: 400_000, largest: 4_000_000 }), "{unstable}");
}

#[test]
fn a_limit_that_is_too_short_says_so() {
    let found = of(|_| 50_000_000, settings().limit(Duration::from_secs(8)));
    assert_eq!(found.slot().unstable, Some(Unstable::TooFew { slots: 129, least: 256 }));
    assert!(found.table.iter().all(|row| row.latency.is_none()), "no engine keeps up: {:?}", found.table);
}

#[test]
fn more_engines_are_used_where_one_cannot_keep_up_and_no_more_than_help() {
    let found = of(|_| 2_000_000, settings());
    // 2.5 ms for every 1.33.
    assert_eq!(found.max_inference, Duration::from_micros(2500));
    let row = &found.table[0];
    assert_eq!((row.engines, row.latency.as_ref().unwrap().samples), (2, 128));
}

#[test]
fn both_ends_of_a_range_are_measured_and_the_table_chooses() {
    let tensor = |name| vec![TensorInfo::new(name, DType::F32, vec![Some(1), Some(1), None])];
    let signature = Signature { inputs: tensor("x"), outputs: tensor("y") };
    let clock = Arc::new(AtomicU64::new(0));
    let moved = clock.clone();
    let backend = FnBackend::new("open", signature, move || {
        let clock = moved.clone();
        move |_: &anira_backend_custom::Inputs<'_>, y: &mut anira_backend_custom::Outputs<'_>| {
            // 0.1 ms, and 4 us a sample.
            clock.fetch_add(100_000 + 4000 * y.f32(0)?.len() as u64, Ordering::Relaxed);
            Ok(())
        }
    });
    // What is declared is far too much for its hops, and must not be in the way.
    let range = anira_traits::HopRange::new(32, 256).multiple(32).shortest_takes(Duration::from_millis(900));
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", 256))
        .output(OutputTensor::stream("y", 256).shape([1, 1, 256]))
        .max_inference(Duration::from_secs(1))
        .hop_range(range)
        .build()
        .unwrap();
    let settings = settings().without_pool().blocks([64, 256]).clock(move || clock.load(Ordering::Relaxed));
    let found = calibrate(InferenceHandler::builder(config).backend(backend), &settings, |_| ()).unwrap();
    let measured: Vec<_> = found.slots.iter().map(|slot| (slot.hop, slot.total.max.nanos)).collect();
    assert_eq!(measured, [(32, 228_000), (256, 1_124_000)]);
    let declared = (found.shortest_takes.unwrap(), found.max_inference);
    assert_eq!(declared, (Duration::from_micros(290), Duration::from_micros(1410)));
    let chosen: Vec<_> =
        found.table.iter().map(|row| (row.block, row.hop, row.latency.as_ref().unwrap().samples)).collect();
    // One block each: no hop has less, and of those that have it these are the longest.
    assert_eq!(chosen, [(64, 64, 64), (256, 256, 256)]);
    // 290 us and a seventh of 1120 more: 32 samples of 224.
    assert_eq!(found.table[0].max_inference, Duration::from_micros(450));
}

#[test]
fn a_failing_engine_is_an_error_that_names_the_slot() {
    let tensor = |name| vec![TensorInfo::new(name, DType::F32, [1, 1, HOP].map(Some).to_vec())];
    let signature = Signature { inputs: tensor("x"), outputs: tensor("y") };
    let backend = FnBackend::new("bad", signature, || {
        let mut runs = 0;
        move |_: &anira_backend_custom::Inputs<'_>, _: &mut anira_backend_custom::Outputs<'_>| {
            runs += 1;
            if runs > 5 { Err(Error::new(ErrorKind::Engine, "out of ink")) } else { Ok(()) }
        }
    });
    let config = InferenceConfig::builder()
        .input(InputTensor::stream("x", HOP))
        .output(OutputTensor::stream("y", HOP));
    let builder = InferenceHandler::builder(config.build().unwrap()).backend(backend);
    let error = calibrate(builder, &settings().without_pool(), |_| ()).unwrap_err().to_string();
    assert!(error.contains("slot 5 at a hop of 64") && error.contains("out of ink"), "{error}");
}

#[test]
fn settings_that_cannot_be_are_named() {
    let builder = || {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("x", HOP))
            .output(OutputTensor::stream("y", HOP));
        InferenceHandler::builder(config.build().unwrap()).backend(Bypass)
    };
    for (settings, word) in [
        (settings().blocks([]), "blocks: is none"),
        (settings().blocks([0]), "blocks: is 0"),
        (settings().slots(10, 100), "slots: least: is 10"),
        (settings().slots(100, 100), "slots: most: is 100"),
        (settings().max_engines(0), "max_engines: is 0"),
        (settings().sample_rate(-1.0), "sample_rate: is -1"),
    ] {
        let error = calibrate(builder(), &settings, |_| ()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn an_interval_holds_the_truth_nearly_always() {
    let mut held = 0;
    for seed in 0..200 {
        let mut random = numbers(1000 + seed);
        let times: Vec<u64> = (0..500).map(|_| random() % 1_000_001).collect();
        let p50 = Times::of(&times).p50;
        assert!(p50.low <= p50.nanos && p50.nanos <= p50.high && p50.high - p50.low < 150_000, "{p50:?}");
        held += u32::from(p50.low <= 500_000 && 500_000 <= p50.high);
    }
    assert!((180..200).contains(&held), "{held} of 200");
    assert_eq!(Times::of(&[]), Times::default());
    assert_eq!(Times::of(&[7]).max.nanos, 7);
}
