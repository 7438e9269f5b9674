//! Nothing that is smooth jumps, whatever stands in for it and whenever that begins and ends.

use anira::LateBlock;
use anira::prelude::*;
use anira_tests::{Quick, delayed, valid};

use crate::{HOP, RATE, Stage, scaled, script, settings};

/// A slow sine of full scale; from sample to sample it moves by less than [`SLOPE`].
fn sine(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 / 320.0).sin()).collect()
}

const SLOPE: f32 = 1.0 / 320.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum StandIn {
    Policy(LatePolicy),
    Function,
    Fallback,
}

#[test]
fn no_jump_on_the_way_out_nor_on_the_way_back() {
    let stand_ins = [
        StandIn::Policy(LatePolicy::Silence),
        StandIn::Policy(LatePolicy::Dry),
        StandIn::Policy(LatePolicy::Hold),
        StandIn::Function,
        StandIn::Fallback,
    ];
    for stand_in in stand_ins {
        for fade in [32, 64, 100, 200, 500] {
            for (start, len) in [(640, 64), (1000, 64), (1500, 300), (2000, 900), (0, 400)] {
                for again in [0, 90, 130] {
                    check(stand_in, fade, start, len, again);
                }
            }
        }
    }
}

/// Nobody runs anything for `len` samples from `start` on, and once more `again` samples after that.
fn check(stand_in: StandIn, fade: usize, start: usize, len: usize, again: usize) {
    let what = format!("{stand_in:?}, fade {fade}, {start} for {len}, again {again}");
    let mut config = settings(HOP).late_fade(fade);
    if let StandIn::Policy(policy) = stand_in {
        config = config.late_policy(policy);
    }
    // The model turns the signal round: everything else is far from it.
    let mut builder = InferenceHandler::builder(valid(config.build())).backend(scaled(HOP, -1.0));
    match stand_in {
        StandIn::Function => {
            builder = builder.late_function(|| {
                |late: &LateBlock<'_>, out: &mut [f32]| {
                    out.iter_mut().zip(late.input).for_each(|(y, x)| *y = 0.5 * x + 0.25);
                }
            });
        }
        StandIn::Fallback => builder = builder.fallback(Fallback::new(Quick(scaled(HOP, 0.5)))),
        StandIn::Policy(_) => {}
    }
    let mut stage = Stage::new(builder, &HostConfig::fixed(RATE, HOP));
    let input = sine(6000);
    let mut idle = vec![start..start + len];
    if again > 0 {
        idle.push(start + len + again..start + len + again + HOP);
    }
    let script = script(&[HOP], input.len(), &idle);
    let output = stage.play(std::slice::from_ref(&input), &script).remove(0);
    assert!(stage.telemetry().late_samples > 0, "{what}");

    // A step is at most from one end to the other, and a little more where one begins while the last still fades. It is gone
    // in `fade` samples; the signals themselves move, too.
    let bound = 2.5 / fade as f32 + 2.0 / (fade + 1) as f32 + 2.0 * SLOPE;
    let jumps = output.windows(2).map(|w| (w[1] - w[0]).abs());
    let (at, most) = jumps.enumerate().fold((0, 0.0), |most, jump| if jump.1 > most.1 { jump } else { most });
    assert!(most <= bound, "{what}: {most} at {at}, more than {bound}");

    // And then it is the model's again, as late as ever.
    let right: Vec<f32> = delayed(&input, stage.latency as u64).iter().map(|x| -x).collect();
    let last = idle.last().map_or(0, |idle| idle.end);
    let back = last + 2 * HOP + fade;
    assert!(output[back..] == right[back..], "{what}");
    assert_eq!(stage.audio.latency(0), Some(stage.latency as u64), "{what}");
}

#[test]
fn a_jump_would_be_seen() {
    // Without a fade there is one: the bound above is not just wide.
    let config = valid(settings(HOP).late_fade(0).build());
    let mut stage = Stage::new(
        InferenceHandler::builder(config).backend(scaled(HOP, -1.0)),
        &HostConfig::fixed(RATE, HOP),
    );
    let output = stage.play(&[sine(1500)], &script(&[HOP], 1500, &[640..704])).remove(0);
    assert!(output.windows(2).any(|w| (w[1] - w[0]).abs() > 0.5));
}
