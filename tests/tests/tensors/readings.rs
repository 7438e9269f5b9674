//! Readings: outputs that the user looks at between inferences.

use std::time::Duration;

use anira::prelude::*;
use anira_tests::{backend, send, signature, valid};

use crate::rendering;

const HOP: usize = 16;

/// A meter: `peak` is the largest sample of the hop, `ends` its first and last.
fn meter() -> impl Backend {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("input", &shape)], &[("output", &shape), ("peak", &[1]), ("ends", &[1, 2])]);
    backend(tensors, |x, y| {
        let x = x.f32(0)?;
        if x[0] < 0.0 {
            return Err(Error::new(ErrorKind::Engine, "negative"));
        }
        y.f32(0)?.copy_from_slice(x);
        y.f32(1)?[0] = x.iter().fold(0.0, |a, b| a.max(*b));
        y.f32(2)?.copy_from_slice(&[x[0], x[HOP - 1]]);
        Ok(())
    })
}

fn config() -> InferenceConfig {
    valid(
        anira_tests::cut()
            .input(InputTensor::stream("input", HOP))
            .output(OutputTensor::parameter("ends"))
            .output(OutputTensor::stream("output", HOP))
            .output(OutputTensor::parameter("level").model_name("peak"))
            .max_inference(Duration::from_micros(330))
            .build(),
    )
}

fn hop(first: f32) -> [f32; HOP] {
    std::array::from_fn(|i| first + i as f32)
}

#[test]
fn there_is_none_before_an_inference_was_heard_then_that_of_the_last() {
    let scheduler = valid(Driven::new(1));
    let mut driver = scheduler.driver();
    let mut handler =
        valid(InferenceHandler::builder(config()).backend(meter()).scheduler(scheduler).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    assert_eq!((control.reading("level"), control.reading("ends")), (None, None));
    let _ = send(&mut audio, &hop(1.0), &[HOP]);
    assert_eq!(control.reading("level"), None, "submitted, not run");
    assert!(driver.run_one());
    assert_eq!(control.reading("level"), None, "run, not collected");
    let _ = send(&mut audio, &hop(100.0), &[HOP]);
    assert_eq!(control.reading("level"), Some(vec![HOP as f64]));
    assert_eq!(control.reading("ends"), Some(vec![1.0, HOP as f64]));
    assert!(driver.run_one());
    let _ = send(&mut audio, &hop(-1.0), &[HOP]);
    assert_eq!(control.reading("ends"), Some(vec![100.0, 99.0 + HOP as f64]));
    assert!(driver.run_one());
    let _ = send(&mut audio, &hop(5.0), &[HOP]);
    assert_eq!(control.reading("ends"), Some(vec![100.0, 99.0 + HOP as f64]), "a failed hop says nothing");
    assert_eq!(
        (control.reading("peak"), control.reading("output")),
        (None, None),
        "no readings of these names"
    );
}

#[test]
fn offline_the_reading_is_that_of_the_block() {
    let mut handler = valid(InferenceHandler::builder(config()).backend(meter()).scheduler(Offline).build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering(HOP)));
    for n in 0..50 {
        let _ = send(&mut audio, &hop(n as f32), &[HOP]);
        assert_eq!(control.reading("ends"), Some(vec![f64::from(n), f64::from(n + HOP as i32 - 1)]));
    }
}
