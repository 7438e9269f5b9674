//! Resets, flushes, silence, channels, the audio thread's promises.

use anira::prelude::*;
use anira::realtime::guard;
use anira_tests::{Random, assert_same, backend, cut, signature, valid};

use super::{HOP, RATES, config, copy, noise, prepared, send, sizes};

#[test]
fn a_reset_is_a_fresh_stream_bit_for_bit() {
    for (host, model) in RATES {
        let host = HostConfig::varying(host, 200).channels(2);
        let input = vec![noise(5, 1500), noise(6, 1500)];
        let (_handler, mut audio, _) = prepared(config(model, 100), &host);
        let fresh = send(&mut audio, &input, sizes(200, Some(1)));
        let mut random = Random(9);
        for round in 0..3 {
            let before = 1 + random.below(1500);
            let _ =
                send(&mut audio, &[noise(round, before), noise(round + 9, before)], sizes(200, Some(round)));
            audio.reset();
            for (got, right) in send(&mut audio, &input, sizes(200, Some(round))).iter().zip(&fresh) {
                assert_same(got, right, format!("{host:?}, after {before}"));
            }
        }
    }
}

#[test]
fn after_the_tail_there_is_nothing() {
    for (host, model) in RATES {
        let (_handler, mut audio, report) = prepared(config(model, 100), &HostConfig::fixed(host, 128));
        assert_eq!(audio.tail(), report.tail);
        let heard = send(&mut audio, &[noise(3, 2048)], sizes(128, None));
        assert!(heard[0].iter().any(|x| *x != 0.0));
        let mut rest = vec![0.0f32; (report.tail as usize).next_multiple_of(128)];
        assert!(audio.flush(&mut [&mut rest[..]]).is_ok());
        let tail = report.tail as usize;
        let last = rest.iter().rposition(|x| *x != 0.0).unwrap();
        // The hop's other samples may be reached, too.
        let window = (HOP as f64 * host / model).ceil() as usize;
        assert!((tail - window - 8..tail).contains(&last), "{host} Hz into {model} Hz: {last} of {tail}");
        let mut nothing = [1.0f32; 512];
        assert!(audio.flush(&mut [&mut nothing[..]]).is_ok());
        assert_eq!(nothing, [0.0; 512], "{host} Hz into {model} Hz");
    }
}

#[test]
fn a_host_at_the_models_rate_costs_nothing() {
    let host = HostConfig::fixed(48e3, 100).mode(Mode::Offline);
    let (mut handler, mut audio, report) = prepared(config(48e3, 100), &host);
    let Prepared { audio: mut plain, report: right, .. } = valid(handler.prepare(&host));
    assert_eq!((report.latency, report.resampling), (right.latency[0].samples, 0));
    assert_eq!(report.tail, right.tail[0]);
    let input = noise(1, 1000);
    let (heard, _) = anira_tests::send(&mut plain, &input, &[100; 10]);
    assert_same(&send(&mut audio, &[input], sizes(100, None))[0], &heard, "plain");
}

#[test]
fn no_call_allocates_or_frees_and_mistakes_are_named() {
    for (host, model) in RATES {
        let driven = valid(Driven::new(1));
        let mut driver = driven.driver();
        let builder = InferenceHandler::builder(config(model, 100)).backend(copy()).scheduler(driven);
        let mut handler = valid(builder.build());
        let host = HostConfig::varying(host, 96).channels(2);
        let (mut audio, _) = valid(handler.prepare_resampled(&host));
        let mut random = Random(1);
        let (mut left, mut right) = ([0.5f32; 300], [0.25f32; 300]);
        for round in 0..30 {
            let n = random.below(300);
            let watched = guard(|| {
                let _ = audio.process(&mut [&mut left[..n], &mut right[..n]]);
                let wrong = audio.process(&mut [&mut left[..n]]);
                assert_eq!(wrong.fault, (n > 0).then_some(Fault::Channels));
                let _ = audio.flush(&mut [&mut left[..n], &mut right[..n]]);
                let _ = audio.set_parameter(0, &[1.0]);
                audio.set_bypass(round % 2 == 0);
                if round % 9 == 8 {
                    audio.reset();
                }
            });
            assert_eq!(watched, Ok(()));
            while driver.run_one() {}
        }
    }
}

#[test]
fn another_number_of_channels_out_than_in() {
    let tensors = signature(&[("x", &[1, 1, HOP])], &[("y", &[1, 2, HOP])]);
    let wide = backend(tensors, |x, y| {
        let (x, y) = (x.f32(0)?, y.f32(0)?);
        y[..HOP].copy_from_slice(x);
        y[HOP..].iter_mut().zip(x).for_each(|(y, x)| *y = -x);
        Ok(())
    });
    let config = cut()
        .input(InputTensor::stream("x", HOP))
        .output(OutputTensor::stream("y", HOP).channels(2))
        .sample_rate(16e3);
    let builder = InferenceHandler::builder(valid(config.build())).backend(wide).scheduler(Offline);
    let mut handler = valid(builder.build());
    let host = HostConfig::fixed(48e3, 480).mode(Mode::Offline);
    let (mut audio, _) = valid(handler.prepare_resampled(&host));
    let (input, mut output) = (noise(2, 4800), vec![vec![0.0f32; 4800]; 2]);
    let [first, second] = &mut output[..] else { unreachable!("two") };
    assert!(audio.process_into(&[&input[..]], &mut [&mut first[..], &mut second[..]]).is_ok());
    assert!(first.iter().any(|x| *x != 0.0));
    assert_same(second, &first.iter().map(|x| -x).collect::<Vec<_>>(), "the other way round");
}

#[test]
fn silence_is_silence_at_the_models_rate() {
    let config = cut()
        .input(InputTensor::stream("input", HOP))
        .output(OutputTensor::stream("output", HOP))
        .sample_rate(44_100.0)
        .skip_silence(true);
    let host = HostConfig::fixed(48e3, 480);
    let (handler, mut audio, report) = prepared(valid(config.build()), &host);
    let mut input = vec![0.0f32; 48_000];
    input[20_000] = 1.0;
    let output = &send(&mut audio, &[input], sizes(480, None))[0];
    assert!(output[20_000 + report.latency as usize] > 0.5);
    let told = handler.control().telemetry();
    assert_eq!(told.submitted + told.skipped, 44_100 / HOP as u64);
    // The first hops of silence, and those of the filter and of hops that come in one block with others.
    assert!(told.submitted < 40, "{} run", told.submitted);
}
