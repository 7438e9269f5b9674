//! Misuse on the audio thread: a status that says so, silence, and a stream that keeps its place.

use anira::prelude::*;
use anira_tests::{assert_same, delayed, mono, ramp, send, valid};

use crate::{HOP, copy, offline, rendering};

#[test]
fn wrong_channels_are_silence_and_time_goes_on() {
    let mut handler = offline(mono(HOP, copy));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let input = ramp(10 * HOP);
    let (mut output, _) = send(&mut audio, &input[..3 * HOP], &[HOP; 3]);
    let (mut left, mut right) = ([9.0f32; HOP], [9.0f32; HOP]);
    let status = audio.process(&mut [&mut left[..], &mut right[..]]);
    assert_eq!((status.fault, status.is_ok()), (Some(Fault::Channels), false));
    assert_eq!((left, right), ([0.0; HOP], [0.0; HOP]));
    output.extend([0.0; HOP]);
    let (rest, late) = send(&mut audio, &input[4 * HOP..], &[HOP; 6]);
    output.extend(rest);
    let mut expected = input.clone();
    expected[3 * HOP..4 * HOP].fill(0.0);
    assert_same(&output, &delayed(&expected, 0), "all else is in its place");
    assert_eq!(late, 0);
}

#[test]
fn no_channels_at_all_are_wrong_channels() {
    let mut handler = offline(mono(HOP, copy));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let mut none: [&mut [f32]; 0] = [];
    assert_eq!(audio.process(&mut none[..]).fault, Some(Fault::Channels));
    let mut empty: [f32; 0] = [];
    assert!(audio.process(&mut [&mut empty[..]]).is_ok(), "no samples are no fault");
}

#[test]
fn streams_that_are_not_there_are_named() {
    let mut handler = offline(mono(HOP, copy));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    let mut block = [7.0f32; HOP];
    for stream in [1, 2, usize::MAX] {
        assert_eq!(audio.push(stream, &[&block[..]]).fault, Some(Fault::NoStream));
        assert_eq!(audio.push_silence(stream, 8).fault, Some(Fault::NoStream));
        block.fill(7.0);
        assert_eq!(audio.pop(stream, &mut [&mut block[..]]).fault, Some(Fault::NoStream));
        assert_eq!(block, [0.0; HOP], "silence, not what was there");
    }
    assert_eq!(audio.latency(1), None);
    assert_eq!(send(&mut audio, &ramp(HOP), &[HOP]), (ramp(HOP), 0), "and nothing came of it");
}

#[test]
fn channels_of_unequal_length_end_with_the_shortest() {
    let mut handler = offline(mono(HOP, copy));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering().channels(2)));
    let (mut left, mut right) = (vec![5.0f32; 2 * HOP], vec![6.0f32; HOP]);
    assert!(audio.process(&mut [&mut left[..], &mut right[..]]).is_ok());
    assert_eq!((&left[..HOP], &right[..]), (&[5.0; HOP][..], &[6.0; HOP][..]));
    assert_eq!(left[HOP..], [5.0; HOP], "beyond it nothing is touched");
}

#[test]
fn a_reset_at_any_time_is_fine() {
    let mut handler = offline(mono(HOP, copy));
    let Prepared { mut audio, .. } = valid(handler.prepare(&rendering()));
    for _ in 0..1000 {
        audio.reset();
    }
    assert_eq!(send(&mut audio, &ramp(HOP), &[HOP]), (ramp(HOP), 0));
}
