//! What padding is good for: an inference may take as much longer than declared before anything is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anira::prelude::*;
use anira::traits::{Signature, TensorInfo};

use super::{config, delayed, ramp};

const HOP: usize = 64;
/// Hops of padding.
const SPARE: u64 = 10;

/// Waits until `done` says so, for at most ten seconds.
#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the pool does not finish");
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn an_inference_that_takes_all_of_the_padding_is_still_in_time() {
    let signature = Signature {
        inputs: vec![TensorInfo::f32("x", &[1, 1, HOP])],
        outputs: vec![TensorInfo::f32("y", &[1, 1, HOP])],
    };
    let held = Arc::new(AtomicBool::new(false));
    let hold = held.clone();
    let backend = FnBackend::new("held", signature, move || {
        let hold = hold.clone();
        move |inputs: &Inputs<'_>, outputs: &mut Outputs<'_>| {
            while hold.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_micros(200));
            }
            outputs.f32(0)?.copy_from_slice(inputs.f32(0)?);
            Ok(())
        }
    });
    // Without padding: 64, the callback after the one that submits.
    let output = OutputTensor::stream("y", HOP).declared_latency(HOP as u64 * (1 + SPARE));
    let handler = InferenceHandler::builder(config(HOP, output)).backend(backend);
    let mut handler = handler.scheduler(Pool::builder().threads(1).build().unwrap()).build().unwrap();
    let control = handler.control();
    let Prepared { mut audio, report, .. } = handler.prepare(&HostConfig::fixed(48_000.0, HOP)).unwrap();
    assert_eq!((report.latency[0].inference, report.latency[0].padding), (64, 640));

    let input = ramp(HOP * 40);
    let mut output = input.clone();
    held.store(true, Ordering::Release);
    for (k, block) in output.chunks_mut(HOP).enumerate() {
        // Callback 11 is the first that needs a result: that of the hop of callback 0.
        if k as u64 == 1 + SPARE {
            held.store(false, Ordering::Release);
        }
        if k as u64 > SPARE {
            wait_until(|| control.telemetry().done >= k as u64);
        }
        let status = audio.process(&mut [block]);
        assert!(status.is_ok() && status.late_samples == 0, "{status:?} in callback {k}");
    }
    assert_eq!(control.telemetry().dropped, 0);
    assert!(output == delayed(&input, HOP * (1 + SPARE as usize)));
}
