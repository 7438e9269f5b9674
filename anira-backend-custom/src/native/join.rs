//! Joins steps that follow one another and touch the same rows, so that these pass through the registers once.

use super::kernel::pointwise::Pair;
use super::program::{ConvAt, Part, Slot, Source, Step};

/// The same steps, fewer of them. `weights` is the program's region of weights.
pub(crate) fn joined(steps: &[Step], weights: &[f32]) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match (joined.last_mut(), step) {
            (Some(Step::Conv(conv)), Step::Conv(next)) if conv.mixed.is_none() => {
                match mixed(conv, next, weights) {
                    Some(both) => conv.mixed = Some(both),
                    None => joined.push(*step),
                }
            }
            (Some(Step::Activate { slot, sum: sum @ None, .. }), Step::Pair { x, y, pair: Pair::Add })
                if y == slot && x.channels == y.channels =>
            {
                *sum = Some(*x);
            }
            _ => joined.push(*step),
        }
    }
    joined
}

/// The source and the weights of a convolution, if it adds one channel, as it is now, to what another one makes.
fn mixed(conv: &ConvAt, next: &ConvAt, weights: &[f32]) -> Option<(Slot, Part)> {
    let Source::Slot(from) = next.from else { return None };
    let is_plain = next.inputs == 1 && next.taps == 1 && next.stride == 1 && !next.dot && !conv.dot;
    let is_unbiased = weights.get(next.bias.range())?.iter().all(|bias| *bias == 0.0);
    let fits = next.accumulate && next.to == conv.to && next.from != conv.from;
    (fits && is_plain && is_unbiased).then_some((from, next.weights))
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Cpu;
    use super::super::layer::{Activation, Conv1d};
    use super::super::layout::lay_out;
    use super::super::network::{Network, Signal};
    use super::*;

    /// Three layers of a WaveNet of eight channels, whose conditions have this bias.
    fn steps(bias: f32) -> Vec<Step> {
        let mut net = Network::new();
        let x = net.input(1).unwrap();
        let mut signal = net.conv(x, Conv1d::dense(1, 8, [0.5; 8])).unwrap();
        let mut head: Option<Signal> = None;
        for _ in 0..3 {
            let heard = net.conv(signal, Conv1d::new(8, 8, 3, [0.1; 192]).bias([0.2; 8])).unwrap();
            let mixed = net.conv(x, Conv1d::dense(1, 8, [0.3; 8]).bias([bias; 8])).unwrap();
            let z = net.sum(heard, mixed).unwrap();
            let z = net.activate(z, Activation::Tanh).unwrap();
            head = Some(head.map_or(z, |head| net.sum(head, z).unwrap()));
            let made = net.conv(z, Conv1d::dense(8, 8, [0.1; 64])).unwrap();
            signal = net.sum(signal, made).unwrap();
        }
        let y = net.sum(head.unwrap(), signal).unwrap();
        net.output(y).unwrap();
        lay_out(&net, Cpu::detect()).unwrap().steps
    }

    fn count(steps: &[Step], is_one: impl Fn(&Step) -> bool) -> usize {
        steps.iter().filter(|step| is_one(step)).count()
    }

    #[test]
    fn a_layer_of_a_wavenet_is_four_steps() {
        let all = steps(0.0);
        let conv = |step: &Step| if let Step::Conv(conv) = step { Some(*conv) } else { None };
        assert_eq!(count(&all, |step| conv(step).is_some_and(|conv| conv.mixed.is_some())), 3);
        // The first activation is what the sum begins with.
        assert_eq!(count(&all, |step| matches!(step, Step::Activate { sum: Some(_), .. })), 2);
        // The input and what spreads it; thrice a past, a convolution, an activation, a dense layer; the last sum.
        assert_eq!(all.len(), 2 + 3 * 4 + 1, "{all:#?}");
    }

    #[test]
    fn a_condition_with_a_bias_stays_a_step() {
        let (plain, biased) = (steps(0.0), steps(0.1));
        assert_eq!(biased.len(), plain.len() + 3);
    }
}
