//! What an engine with state has heard before it is heard.

use anira::prelude::*;
use anira::traits::InternalState;
use anira_tests::{backend, cut, signature, valid};
use std::time::Duration;

const HOP: usize = 16;

/// Answers how many hops it has heard, told apart by its base; the count is a tensor.
fn counting(base: f32) -> impl Backend {
    let shape = [1, 1, HOP];
    let tensors = signature(&[("x", &shape), ("n_in", &[1])], &[("y", &shape), ("n_out", &[1])]);
    backend(tensors, move |x, y| {
        let n = x.f32(1)?[0] + 1.0;
        y.f32(0)?.fill(base + n);
        y.f32(1)?[0] = n;
        Ok(())
    })
}

fn config(pre_roll: usize, decay: u64, lead_in: Option<usize>) -> InferenceConfig {
    let config = cut()
        .input(InputTensor::stream("x", HOP))
        .input(InputTensor::state("n_in", "n_out"))
        .output(OutputTensor::stream("y", HOP).decay(decay))
        .max_inference(Duration::ZERO)
        .pre_roll(pre_roll);
    let config = match lead_in {
        Some(samples) => config.lead_in(samples),
        None => config,
    };
    valid(config.build())
}

/// What is heard of each hop, where engine 1 is asked for before hop 3 and engine 0 before hop `back`.
fn heard<B, S>(handler: &mut InferenceHandler<B, HopProcessor, S>, back: usize) -> Vec<f32>
where
    B: Backend,
    S: Scheduler<anira::EngineOf<B>>,
{
    let host = HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline);
    let Prepared { mut audio, .. } = valid(handler.prepare(&host));
    let mut heard = Vec::new();
    for k in 0..20 {
        if k == 3 || k == back {
            assert!(audio.set_engine(usize::from(k == 3)).is_ok());
        }
        let mut block = [1.0f32; HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        heard.push(block[0]);
    }
    heard
}

#[test]
fn it_hears_as_much_as_was_declared_and_begins_fresh_every_time() {
    // Pre-roll, decay and lead-in in samples; hops that are heard before.
    for (pre_roll, decay, lead_in, hops) in
        [(0, 0, None, 0), (40, 0, None, 3), (16, 70, None, 5), (40, 70, Some(20), 2), (40, 0, Some(0), 0)]
    {
        let own = config(pre_roll, decay, lead_in);
        let first = InferenceHandler::builder(config(0, 0, None)).backend(counting(100.0)).switch_fade(0);
        let second = EngineSpec::new(counting(200.0)).config(own.clone());
        let mut handler = valid(first.engine(second).scheduler(Offline).build());
        let got = heard(&mut handler, 12);
        // The silence before its own stream is part of where it begins: heard, not run anew.
        let begin = 200.0 + pre_roll.div_ceil(HOP) as f32;
        let joined = 3 + hops;
        let right: Vec<f32> = (0..20)
            .map(|k| match k {
                _ if k < joined => 101.0 + k as f32,
                _ if k < 12 => begin + 1.0 + (k - 3) as f32,
                // Engine 0 has no lead-in; it begins anew, not where it was left.
                _ => 101.0 + (k - 12) as f32,
            })
            .collect();
        assert_eq!(got, right, "{pre_roll}, {decay}, {lead_in:?}");
    }
}

#[test]
fn what_remembers_inside_begins_fresh_as_well() {
    let shape = [1, 1, HOP];
    let inside = |base: f32| {
        anira::backends::FnBackend::new("counts", signature(&[("x", &shape)], &[("y", &shape)]), move || {
            let mut n = 0.0f32;
            move |_: &anira::backends::Inputs<'_>, y: &mut anira::backends::Outputs<'_>| {
                n += 1.0;
                y.f32(0)?.fill(base + n);
                Ok(())
            }
        })
        .internal_state(InternalState::Inside)
    };
    let config = |lead_in: usize| {
        let config = cut().input(InputTensor::stream("x", HOP)).output(OutputTensor::stream("y", HOP));
        valid(config.max_inference(Duration::ZERO).lead_in(lead_in).build())
    };
    let first = InferenceHandler::builder(config(0)).backend(inside(100.0)).switch_fade(0);
    let builder = first.engine(EngineSpec::new(inside(200.0)).config(config(2 * HOP)));
    let mut handler = valid(builder.scheduler(Offline).build());
    let got = heard(&mut handler, 12);
    let right: Vec<f32> = (0..20)
        .map(|k| match k {
            0..5 => 101.0 + k as f32,
            5..12 => 201.0 + (k - 3) as f32,
            _ => 101.0 + (k - 12) as f32,
        })
        .collect();
    assert_eq!(got, right);
}

#[test]
fn a_longer_context_is_filled_from_what_came_in_before() {
    // The second engine answers the oldest sample of a window of ten hops: it has them all at once.
    let oldest = |context: usize| {
        let window = [1, 1, context + HOP];
        backend(signature(&[("x", &window)], &[("y", &[1, 1, HOP])]), |x, y| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = *x);
            Ok(())
        })
    };
    let config = |context: usize| {
        let input = InputTensor::stream("x", HOP).context(context);
        let config = cut().input(input).output(OutputTensor::stream("y", HOP));
        valid(config.max_inference(Duration::ZERO).build())
    };
    let first = InferenceHandler::builder(config(0)).backend(oldest(0)).switch_fade(0);
    let builder = first.engine(EngineSpec::new(oldest(10 * HOP)).config(config(10 * HOP)));
    let mut handler = valid(builder.scheduler(Offline).build());
    let Prepared { mut audio, .. } =
        valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP).mode(Mode::Offline)));
    for k in 0..40 {
        if k == 20 {
            assert!(audio.set_engine(1).is_ok());
        }
        let mut block: Vec<f32> = (k * HOP..(k + 1) * HOP).map(|n| (n + 1) as f32).collect();
        let right: Vec<f32> = block.iter().map(|x| if k < 20 { *x } else { x - (10 * HOP) as f32 }).collect();
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        assert_eq!(block, right, "block {k}");
    }
}
