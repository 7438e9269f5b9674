//! Each layer for itself, and stacks of random ones, against their plain double in double precision.

use anira_backend_custom::native::{Activation, Signal};
use anira_traits::{Engine, Model};
use proptest::prelude::*;

use crate::plain::{Dice, Twin};
use crate::run::{difference, engine, model, stream};

/// A multiple of every block below.
const LENGTH: usize = 192;
const BLOCKS: [usize; 6] = [1, 3, 16, 64, 96, 192];

const CURVES: [Activation; 9] = [
    Activation::Identity,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Relu,
    Activation::LeakyRelu(0.1),
    Activation::Clip(-0.5, 0.25),
    Activation::Silu,
    Activation::HardSwish,
    Activation::Softsign,
];

/// Runs a twin's network on both paths and in all blocks; it has to be within 1e-5 of the plain double, and the same bits
/// in every block.
fn check(mut twin: Twin, output: (Signal, usize), samples: &[f32], channels: usize, parameters: &[&[f32]]) {
    twin.net.output(output.0).unwrap();
    let heard = twin.heard(output.1);
    let outputs = heard.rest.len();
    let right: Vec<f64> = (0..outputs).flat_map(|c| heard.rows.iter().map(move |row| row[c])).collect();
    for simd in ["auto", "portable"] {
        let model = model(&twin.net, simd);
        let mut whole: Option<Vec<f32>> = None;
        for block in BLOCKS.into_iter().rev() {
            let mut engine = engine(&model, block, parameters);
            let made = stream(&mut engine, samples, channels, block);
            let (worst, peak) = difference(&made, &right);
            assert!(worst <= 1e-5 * peak.max(1.0), "{simd}, block {block}: {worst:e} of {peak}");
            match &whole {
                None => whole = Some(made.clone()),
                Some(whole) => assert!(*whole == made, "{simd}: block {block} differs from the whole"),
            }
            engine.reset().unwrap();
            assert!(
                made == stream(&mut engine, samples, channels, block),
                "{simd}: a reset is no fresh start"
            );
        }
    }
}

#[test]
fn convolutions_of_every_tile_are_those_of_the_plain_double() {
    let mut dice = Dice::new(1);
    for outputs in [1, 2, 5, 8, 9, 16, 17, 24, 32, 33, 40, 64, 70] {
        for (inputs, kernel, dilation) in
            [(1, 3, 1), (1, 1, 1), (3, 13, 2), (8, 2, 50), (20, 4, 7), (33, 1, 1)]
        {
            let samples = dice.numbers(inputs * LENGTH, 1.0);
            let mut twin = Twin::new(LENGTH);
            let x = twin.input(inputs, &samples);
            let y = twin.conv(&mut dice, x, outputs, kernel, dilation, 1);
            check(twin, y, &samples, inputs, &[]);
        }
    }
}

#[test]
fn groups_do_not_see_each_other() {
    let mut dice = Dice::new(2);
    for (inputs, outputs, groups) in [(4, 4, 4), (4, 8, 2), (6, 3, 3), (16, 16, 16)] {
        let samples = dice.numbers(inputs * LENGTH, 1.0);
        let mut twin = Twin::new(LENGTH);
        let x = twin.input(inputs, &samples);
        let y = twin.conv(&mut dice, x, outputs, 5, 3, groups);
        check(twin, y, &samples, inputs, &[]);
    }
}

#[test]
fn recurrent_layers_of_many_sizes_are_those_of_the_plain_double() {
    let mut dice = Dice::new(3);
    for hidden in [1, 2, 3, 5, 8, 12, 16, 20, 31, 40, 64] {
        for (inputs, is_gru) in [(1, false), (3, false), (1, true), (9, true)] {
            let samples = dice.numbers(inputs * LENGTH, 1.0);
            let mut twin = Twin::new(LENGTH);
            let x = twin.input(inputs, &samples);
            let y = if is_gru { twin.gru(&mut dice, x, hidden) } else { twin.lstm(&mut dice, x, hidden) };
            check(twin, y, &samples, inputs, &[]);
        }
    }
}

#[test]
fn activations_and_gates_are_those_of_the_plain_double() {
    let mut dice = Dice::new(4);
    let slopes = Activation::PRelu(dice.numbers(6, 1.0));
    for activation in CURVES.iter().chain([&slopes]) {
        let samples = dice.numbers(6 * LENGTH, 5.0);
        let mut twin = Twin::new(LENGTH);
        let x = twin.input(6, &samples);
        let y = twin.activate(x, activation);
        check(twin, y, &samples, 6, &[]);
        for channels in [2, 6, 16, 22] {
            let samples = dice.numbers(channels * LENGTH, 3.0);
            let mut twin = Twin::new(LENGTH);
            let x = twin.input(channels, &samples);
            let first = if let Activation::PRelu(_) = activation { &CURVES[1] } else { activation };
            let y = twin.gate(x, first, &Activation::Sigmoid);
            check(twin, y, &samples, channels, &[]);
        }
    }
}

#[test]
fn a_parameter_conditions_a_network_and_its_silence() {
    let mut dice = Dice::new(5);
    let samples = dice.numbers(LENGTH, 1.0);
    let knobs = [0.8, -0.3, 0.1];
    let mut twin = Twin::new(LENGTH);
    let x = twin.input(1, &samples);
    let knob = twin.parameter(&knobs);
    let one = twin.part(knob, 0, 1);
    let louder = twin.pair(one, x, 2);
    let both = twin.concat(&[x, louder, knob]);
    let y = twin.conv(&mut dice, both, 7, 9, 4, 1);
    let y = twin.activate(y, &Activation::Tanh);
    let y = twin.conv(&mut dice, y, 1, 5, 11, 1);
    check(twin, y, &samples, 1, &[&knobs]);
}

/// As a WaveNet has them: a layer's convolution hears a condition besides, and what its activation gives goes into a sum, too.
#[test]
fn conditions_and_sums_of_heads_are_those_of_the_plain_double() {
    // A quarter of all convolutions have no bias: several times, so that each of these has none once.
    for (seed, channels) in (6..10).flat_map(|seed| [1, 5, 8, 16, 24, 32, 33, 40].map(|n| (seed, n))) {
        let mut dice = Dice::new(seed * 100 + channels as u64);
        let samples = dice.numbers(LENGTH, 1.0);
        let knob = dice.numbers(1, 1.0);
        let mut twin = Twin::new(LENGTH);
        let x = twin.input(1, &samples);
        let condition = if channels % 2 == 0 { x } else { twin.parameter(&knob) };
        // Two of one source, for some; neither is the other's condition.
        let (spread, mixed) =
            (twin.conv(&mut dice, x, channels, 1, 1, 1), twin.conv(&mut dice, condition, channels, 1, 1, 1));
        let (mut signal, mut head) = (twin.pair(spread, mixed, 0), None);
        for curve in &CURVES {
            let dilation = 1 + dice.below(20);
            // Five taps of 32 channels are more than one group.
            let heard = twin.conv(&mut dice, signal, channels, 5, dilation, 1);
            let mixed = twin.conv(&mut dice, condition, channels, 1, 1, 1);
            let sum = twin.pair(heard, mixed, 0);
            let z = twin.activate(sum, curve);
            head = Some(head.map_or(z, |head| twin.pair(head, z, 0)));
            let made = twin.conv(&mut dice, z, channels, 1, 1, 1);
            let next = twin.pair(signal, made, 0);
            signal = twin.activate(next, &Activation::Tanh);
        }
        let head = twin.pair(head.unwrap(), signal, 0);
        // One channel is added to all.
        let one = twin.conv(&mut dice, head, 1, 1, 1, 1);
        let one = twin.activate(one, &Activation::Softsign);
        let head = twin.pair(head, one, 0);
        // Few outputs of many inputs have the inputs in the lanes.
        let heard = twin.conv(&mut dice, head, 1, 5, 1, 1);
        let mixed = twin.conv(&mut dice, condition, 1, 1, 1, 1);
        let y = twin.pair(heard, mixed, 0);
        let parameters: &[&[f32]] = if channels % 2 == 0 { &[] } else { &[&knob] };
        check(twin, y, &samples, 1, parameters);
    }
}

/// A stack of random layers on one to three channels.
fn random_stack(seed: u64, layers: usize) {
    let mut dice = Dice::new(seed);
    let channels = 1 + dice.below(3);
    let samples = dice.numbers(channels * LENGTH, 1.0);
    let count = 1 + dice.below(3);
    let knobs = dice.numbers(count, 1.0);
    let mut twin = Twin::new(LENGTH);
    let mut signals = vec![twin.input(channels, &samples)];
    signals.push(twin.parameter(&knobs));
    for _ in 0..layers {
        let from = signals[dice.below(signals.len())];
        let width = twin.channels(from);
        let made = match dice.below(11) {
            0..=2 => {
                let (outputs, kernel, dilation) = (1 + dice.below(36), 1 + dice.below(5), 1 + dice.below(40));
                twin.conv(&mut dice, from, outputs, kernel, dilation, 1)
            }
            3 => {
                let groups = if width.is_multiple_of(2) { 2 } else { width };
                let outputs = groups * (1 + dice.below(4));
                twin.conv(&mut dice, from, outputs, 3, 2, groups)
            }
            4 | 5 => {
                let curve = &CURVES[dice.below(CURVES.len())];
                twin.activate(from, curve)
            }
            6 if width.is_multiple_of(2) => twin.gate(from, &Activation::Tanh, &Activation::Sigmoid),
            7 => {
                let (a, b) = (dice.below(width), from);
                let channels = 1 + dice.below(width - a);
                twin.part(b, a, channels)
            }
            8 if width < 40 => {
                let hidden = 1 + dice.below(20);
                if dice.below(2) == 0 {
                    twin.lstm(&mut dice, from, hidden)
                } else {
                    twin.gru(&mut dice, from, hidden)
                }
            }
            9 if width < 40 => {
                let other = signals[dice.below(signals.len())];
                twin.concat(&[from, other])
            }
            _ => {
                let fits = |s: &&(Signal, usize)| [1, width].contains(&twin.channels(**s)) || width == 1;
                let others: Vec<_> = signals.iter().filter(fits).copied().collect();
                let other = others[dice.below(others.len())];
                // Bounded, so that sums of sums do not grow.
                let pair = twin.pair(from, other, dice.below(3));
                twin.activate(pair, &Activation::Tanh)
            }
        };
        signals.push(made);
    }
    let last = *signals.last().unwrap();
    let last = twin.affine(&mut dice, last);
    let last = twin.activate(last, &Activation::Softsign);
    check(twin, last, &samples, channels, &[&knobs]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_stack_of_layers_is_its_plain_double_in_every_block(seed: u64, layers in 1..12usize) {
        random_stack(seed, layers);
    }
}

#[test]
fn what_is_remembered_is_told() {
    use anira_traits::InternalState::{Inside, None};
    let samples = [0.0; LENGTH];
    for (kernel, right) in [(1, None), (2, Inside)] {
        let mut twin = Twin::new(LENGTH);
        let x = twin.input(1, &samples);
        let y = twin.conv(&mut Dice::new(6), x, 1, kernel, 1, 1);
        twin.net.output(y.0).unwrap();
        assert_eq!(model(&twin.net, "auto").internal_state(), right);
    }
}
