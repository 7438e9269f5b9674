//! Where an impulse comes out, and what comes through.

use std::f64::consts::TAU;

use anira::prelude::*;
use anira_tests::assert_same;

use super::{RATES, config, noise, prepared, send, sizes};

/// The part of a signal at `frequency`, in turns per sample, as seen from sample `centre`.
fn part(signal: &[f32], frequency: f64, centre: usize) -> (f64, f64) {
    let turned = |(n, x): (usize, &f32)| {
        let angle = TAU * frequency * (n as f64 - centre as f64);
        (f64::from(*x) * angle.cos(), f64::from(*x) * -angle.sin())
    };
    signal.iter().enumerate().map(turned).fold((0.0, 0.0), |sum, x| (sum.0 + x.0, sum.1 + x.1))
}

/// What a host of this rate and these blocks hears of an impulse in each of two channels, some samples apart.
fn check(host: f64, model: f64, block: HostConfig, seed: Option<u64>, at: usize) {
    let (_handler, mut audio, report) = prepared(config(model, 100), &block.channels(2));
    let what = format!("{host} Hz into {model} Hz, {:?}, impulse at {at}", block.block_size());
    let latency = report.latency as usize;
    assert_eq!(audio.latency(), report.latency);
    let parts = report.adaptation + report.inference + report.model + report.padding + report.resampling;
    assert_eq!(parts, report.latency, "{what}");
    let len = (at + latency + 8 * report.resampling as usize).next_multiple_of(block.block_size().max());
    let impulses = [at, at + 3];
    let input: Vec<Vec<f32>> =
        impulses.iter().map(|at| (0..len).map(|n| f32::from(n == *at)).collect()).collect();
    let output = send(&mut audio, &input, sizes(block.block_size().max(), seed));
    // A turn per sample of the lower rate, seen at the host's.
    let lower = (model / host).min(1.0);
    for (channel, at) in output.iter().zip(impulses) {
        let centre = at + latency;
        let size = |n: usize| channel[n].abs();
        let peak = (0..len).max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap();
        assert_eq!(peak, centre, "{what}: the peak");
        // Far from the middle of its band to far up in it: as large as it went in, and not a thousandth of a sample off.
        for share in [0.0, 0.05, 0.2, 0.3, 0.4] {
            let frequency = share * lower;
            let (re, im) = part(channel, frequency, centre);
            assert!((re - 1.0).abs() < 2e-3, "{what}: {re} at {share}");
            let off = if share > 0.0 { im.atan2(re) / (TAU * frequency) } else { im };
            assert!(off.abs() < 1e-3, "{what}: {off} samples off at {share}");
        }
    }
}

#[test]
fn an_impulse_comes_out_exactly_when_reported() {
    for (host, model) in RATES {
        for at in [0, 511, 1470] {
            check(host, model, HostConfig::fixed(host, 256), None, at);
            check(host, model, HostConfig::varying(host, 300), Some(at as u64), at);
        }
        for block in [1, 7, 441, 1024] {
            check(host, model, HostConfig::fixed(host, block), None, 77);
        }
    }
}

#[test]
fn samples_do_not_depend_on_blocks() {
    for (host, model) in RATES {
        let input = vec![noise(1, 3000), noise(2, 3000)];
        let run = |seed, largest| {
            let (_handler, mut audio, _) =
                prepared(config(model, 100), &HostConfig::varying(host, 500).channels(2));
            send(&mut audio, &input, sizes(largest, seed))
        };
        let right = run(None, 500);
        for (seed, largest) in [(None, 1), (None, 37), (Some(3), 500), (Some(4), 20), (None, 2000)] {
            for (got, right) in run(seed, largest).iter().zip(&right) {
                assert_same(got, right, format!("{host} Hz into {model} Hz, {seed:?} up to {largest}"));
            }
        }
    }
}

/// A sine in, how far what comes out is from it, delayed, in decibels; and how loud it is.
fn sine(host: f64, model: f64, hertz: f64) -> (f64, f64) {
    let (_handler, mut audio, report) = prepared(config(model, 100), &HostConfig::fixed(host, 256));
    let (settled, len) = (report.latency as usize + 2 * report.resampling as usize, 256 * 40);
    let wave = |n: i64| (TAU * hertz / host * n as f64).sin();
    let input: Vec<f32> = (0..len).map(|n| wave(n) as f32).collect();
    let output = &send(&mut audio, &[input], sizes(256, None))[0];
    let (mut off, mut all) = (0.0, 0.0);
    for (n, y) in output.iter().enumerate().skip(settled) {
        off += (f64::from(*y) - wave(n as i64 - report.latency as i64)).powi(2);
        all += f64::from(*y).powi(2);
    }
    let half = (output.len() - settled) as f64 / 2.0;
    (10.0 * (off / half).log10(), 10.0 * (all / half).log10())
}

#[test]
fn sines_come_through_and_what_has_no_place_does_not() {
    for (host, model) in RATES {
        let limit = host.min(model) / 2.0;
        for share in [0.01, 0.3, 0.7, 0.85] {
            let (off, _) = sine(host, model, share * limit);
            assert!(off < -70.0, "{host} Hz into {model} Hz: {off} dB off at {share}");
        }
        if host > model * 1.1 {
            for share in [1.01, 1.2, host / model * 0.95] {
                let (_, loud) = sine(host, model, share.max(1.01) * limit);
                assert!(loud < -80.0, "{host} Hz into {model} Hz: {loud} dB left at {share}");
            }
        }
    }
}
