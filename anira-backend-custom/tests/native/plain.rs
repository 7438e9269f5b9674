//! Every layer once more, in double precision, as the textbook has it: no blocks, no rings, no vectors. The other opinion.

use anira_backend_custom::native::{Activation, Conv1d, Gru, Lstm, Network, Signal};

/// Numbers that a seed gives, the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    /// From -1 to 1.
    pub(crate) fn number(&mut self) -> f32 {
        self.below(2_000_001) as f32 / 1e6 - 1.0
    }

    pub(crate) fn numbers(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| scale * self.number()).collect()
    }
}

/// A signal: what it has been for ever, then its moments.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) rest: Vec<f64>,
    pub(crate) rows: Vec<Vec<f64>>,
}

impl Heard {
    /// The moment `back` before `t`.
    fn at(&self, t: usize, back: usize) -> &[f64] {
        if t >= back { &self.rows[t - back] } else { &self.rest }
    }

    fn map(&self, each: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        Self { rest: each(&self.rest), rows: self.rows.iter().map(|row| each(row)).collect() }
    }

    fn with(&self, other: &Self, each: impl Fn(f64, f64) -> f64) -> Self {
        let row = |a: &[f64], b: &[f64]| -> Vec<f64> {
            (0..a.len().max(b.len()))
                .map(|c| each(a[if a.len() == 1 { 0 } else { c }], b[if b.len() == 1 { 0 } else { c }]))
                .collect()
        };
        let rows = self.rows.iter().zip(&other.rows).map(|(a, b)| row(a, b)).collect();
        Self { rest: row(&self.rest, &other.rest), rows }
    }
}

/// A network and its plain double, built side by side.
pub(crate) struct Twin {
    pub(crate) net: Network,
    signals: Vec<Heard>,
    length: usize,
}

impl Twin {
    pub(crate) fn new(length: usize) -> Self {
        Self { net: Network::new(), signals: Vec::new(), length }
    }

    pub(crate) fn heard(&self, at: usize) -> &Heard {
        &self.signals[at]
    }

    /// A signal's index is its place in the list: the network counts alike.
    fn add(&mut self, heard: Heard) -> usize {
        self.signals.push(heard);
        self.signals.len() - 1
    }

    /// A stream; `samples` are channel by channel.
    pub(crate) fn input(&mut self, channels: usize, samples: &[f32]) -> (Signal, usize) {
        let signal = self.net.input(channels).unwrap();
        let row = |t| (0..channels).map(|c| f64::from(samples[c * self.length + t])).collect();
        let rows = (0..self.length).map(row).collect();
        (signal, self.add(Heard { rest: vec![0.0; channels], rows }))
    }

    pub(crate) fn parameter(&mut self, values: &[f32]) -> (Signal, usize) {
        let signal = self.net.parameter(values.len()).unwrap();
        let rest: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
        let rows = vec![rest.clone(); self.length];
        (signal, self.add(Heard { rest, rows }))
    }

    pub(crate) fn channels(&self, (_, at): (Signal, usize)) -> usize {
        self.signals[at].rest.len()
    }

    /// A convolution with random weights.
    pub(crate) fn conv(
        &mut self,
        dice: &mut Dice,
        from: (Signal, usize),
        outputs: usize,
        kernel: usize,
        dilation: usize,
        groups: usize,
    ) -> (Signal, usize) {
        let inputs = self.channels(from);
        let per = inputs / groups;
        let scale = 1.0 / ((per * kernel) as f32).sqrt();
        let weights = dice.numbers(outputs * per * kernel, scale);
        let bias = if dice.below(4) == 0 { Vec::new() } else { dice.numbers(outputs, 0.3) };
        let heard = &self.signals[from.1];
        let one = |t: Option<usize>| -> Vec<f64> {
            (0..outputs)
                .map(|o| {
                    let mut sum = bias.get(o).map_or(0.0, |b| f64::from(*b));
                    for i in 0..per {
                        for k in 0..kernel {
                            let back = (kernel - 1 - k) * dilation;
                            let row = t.map_or(&heard.rest[..], |t| heard.at(t, back));
                            let channel = o / (outputs / groups) * per + i;
                            sum += f64::from(weights[(o * per + i) * kernel + k]) * row[channel];
                        }
                    }
                    sum
                })
                .collect()
        };
        let made = Heard { rest: one(None), rows: (0..self.length).map(|t| one(Some(t))).collect() };
        let conv = Conv1d::new(inputs, outputs, kernel, weights).bias(bias).dilation(dilation).groups(groups);
        let signal = self.net.conv(from.0, conv).unwrap();
        (signal, self.add(made))
    }

    pub(crate) fn activate(&mut self, from: (Signal, usize), activation: &Activation) -> (Signal, usize) {
        let made = self.signals[from.1]
            .map(|row| row.iter().enumerate().map(|(c, x)| curve(activation, *x, c)).collect());
        let signal = self.net.activate(from.0, activation.clone()).unwrap();
        (signal, self.add(made))
    }

    pub(crate) fn gate(&mut self, from: (Signal, usize), a: &Activation, b: &Activation) -> (Signal, usize) {
        let half = self.channels(from) / 2;
        let made = self.signals[from.1]
            .map(|row| (0..half).map(|c| curve(a, row[c], c) * curve(b, row[half + c], c)).collect());
        let signal = self.net.gate(from.0, a.clone(), b.clone()).unwrap();
        (signal, self.add(made))
    }

    pub(crate) fn affine(&mut self, dice: &mut Dice, from: (Signal, usize)) -> (Signal, usize) {
        let channels = self.channels(from);
        let (scale, shift) = (dice.numbers(channels, 1.5), dice.numbers(channels, 0.5));
        let made = self.signals[from.1].map(|row| {
            row.iter()
                .zip(scale.iter().zip(&shift))
                .map(|(x, (a, b))| x * f64::from(*a) + f64::from(*b))
                .collect()
        });
        let signal = self.net.affine(from.0, scale, shift).unwrap();
        (signal, self.add(made))
    }

    /// 0: sum, 1: difference, 2: product.
    pub(crate) fn pair(&mut self, a: (Signal, usize), b: (Signal, usize), kind: usize) -> (Signal, usize) {
        let (x, y) = (&self.signals[a.1], &self.signals[b.1]);
        let (signal, made) = match kind {
            0 => (self.net.sum(a.0, b.0), x.with(y, |a, b| a + b)),
            1 => (self.net.difference(a.0, b.0), x.with(y, |a, b| a - b)),
            _ => (self.net.product(a.0, b.0), x.with(y, |a, b| a * b)),
        };
        (signal.unwrap(), self.add(made))
    }

    pub(crate) fn concat(&mut self, parts: &[(Signal, usize)]) -> (Signal, usize) {
        let of = |row: &dyn Fn(&Heard) -> Vec<f64>| -> Vec<f64> {
            parts.iter().flat_map(|(_, at)| row(&self.signals[*at])).collect()
        };
        let rest = of(&|h| h.rest.clone());
        let rows = (0..self.length).map(|t| of(&|h| h.rows[t].clone())).collect();
        let signals: Vec<Signal> = parts.iter().map(|(signal, _)| *signal).collect();
        let signal = self.net.concat(&signals).unwrap();
        (signal, self.add(Heard { rest, rows }))
    }

    pub(crate) fn part(&mut self, from: (Signal, usize), first: usize, channels: usize) -> (Signal, usize) {
        let made = self.signals[from.1].map(|row| row[first..first + channels].to_vec());
        let signal = self.net.part(from.0, first, channels).unwrap();
        (signal, self.add(made))
    }

    pub(crate) fn lstm(&mut self, dice: &mut Dice, from: (Signal, usize), hidden: usize) -> (Signal, usize) {
        let inputs = self.channels(from);
        let scale = 1.0 / (hidden as f32).sqrt();
        let (wi, wh) = (dice.numbers(4 * hidden * inputs, 1.0), dice.numbers(4 * hidden * hidden, scale));
        let bias = dice.numbers(4 * hidden, 0.5);
        let (h0, c0) = (dice.numbers(hidden, 0.3), dice.numbers(hidden, 0.5));
        let (mut h, mut c) = (wide(&h0), wide(&c0));
        let rest = h.clone();
        let mut rows = Vec::new();
        for x in &self.signals[from.1].rows {
            let gates = product(&wi, inputs, x, &wide(&bias), &product(&wh, hidden, &h, &[], &[]));
            for j in 0..hidden {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + j]);
                c[j] = sigmoid(f) * c[j] + sigmoid(i) * g.tanh();
                h[j] = sigmoid(o) * c[j].tanh();
            }
            rows.push(h.clone());
        }
        let signal = self.net.lstm(from.0, Lstm::new(inputs, hidden, wi, wh, bias).state(h0, c0)).unwrap();
        (signal, self.add(Heard { rest, rows }))
    }

    pub(crate) fn gru(&mut self, dice: &mut Dice, from: (Signal, usize), hidden: usize) -> (Signal, usize) {
        let inputs = self.channels(from);
        let scale = 1.0 / (hidden as f32).sqrt();
        let (wi, wh) = (dice.numbers(3 * hidden * inputs, 1.0), dice.numbers(3 * hidden * hidden, scale));
        let (bi, bh) = (dice.numbers(3 * hidden, 0.5), dice.numbers(3 * hidden, 0.5));
        let h0 = dice.numbers(hidden, 0.3);
        let mut h = wide(&h0);
        let rest = h.clone();
        let mut rows = Vec::new();
        for x in &self.signals[from.1].rows {
            let a = product(&wi, inputs, x, &wide(&bi), &[]);
            let b = product(&wh, hidden, &h, &wide(&bh), &[]);
            for j in 0..hidden {
                let r = sigmoid(a[j] + b[j]);
                let z = sigmoid(a[hidden + j] + b[hidden + j]);
                let n = (a[2 * hidden + j] + r * b[2 * hidden + j]).tanh();
                h[j] = (1.0 - z) * n + z * h[j];
            }
            rows.push(h.clone());
        }
        let signal = self.net.gru(from.0, Gru::new(inputs, hidden, wi, wh, bi, bh).state(h0)).unwrap();
        (signal, self.add(Heard { rest, rows }))
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// `weights · x + more + more`, an empty summand being nothing.
fn product(weights: &[f32], width: usize, x: &[f64], a: &[f64], b: &[f64]) -> Vec<f64> {
    weights
        .chunks(width)
        .enumerate()
        .map(|(row, weights)| {
            let sum: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
            sum + a.get(row).unwrap_or(&0.0) + b.get(row).unwrap_or(&0.0)
        })
        .collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn curve(activation: &Activation, x: f64, channel: usize) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu(slope) => {
            if x < 0.0 {
                x * f64::from(*slope)
            } else {
                x
            }
        }
        Activation::PRelu(slopes) => {
            if x < 0.0 {
                x * f64::from(slopes[channel])
            } else {
                x
            }
        }
        Activation::Clip(low, high) => x.clamp(f64::from(*low), f64::from(*high)),
        Activation::Silu => x * sigmoid(x),
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Softsign => x / (1.0 + x.abs()),
        other => panic!("no plain double of {other:?}"),
    }
}
