//! Flips to engines that fail: the sound goes on, and somebody is told.

use anira::prelude::*;
use anira_tests::valid;

use crate::host::{Session, session};
use crate::{Trouble, Voice};

const HOP: usize = 64;

/// Engine 0 is sound, engine 1 in trouble; blocks of a hop, engines on time.
fn troubled(trouble: Trouble, fade: usize) -> Session {
    let voices = [Voice::new(HOP, 1.0, 20), Voice::new(HOP, 0.5, 20).with(trouble)];
    session(&voices, fade, HOP)
}

/// What `count` callbacks give, each of which may be either engine's, mixed or not.
fn heard(session: &mut Session, count: usize) -> (Vec<f32>, u64) {
    let (mut output, mut late) = (Vec::new(), 0);
    for _ in 0..count {
        let mut block = [1.0f32; HOP];
        assert!(session.audio.push(0, &[&block[..]]).is_ok());
        while session.driver.run_one() {}
        let status = session.audio.pop(0, &mut [&mut block[..]]);
        late += status.late_samples;
        output.extend(block);
    }
    (output, late)
}

#[test]
fn an_engine_that_never_works_is_never_heard() {
    for trouble in [Trouble::Errors(0, u64::MAX), Trouble::Panics(0)] {
        for fade in [0, 1, 128, 1000] {
            let mut session = troubled(trouble, fade);
            heard(&mut session, 5);
            assert!(session.audio.set_engine(1).is_ok());
            let (output, late) = heard(&mut session, 60);
            assert_eq!(output, vec![1.0; 60 * HOP], "{trouble:?}, fade {fade}");
            assert_eq!(late, 0, "{trouble:?}, fade {fade}");
            let told = session.control.switching();
            assert_eq!((told.asked, told.heard, told.given_up), (1, 0, 1), "{trouble:?}, fade {fade}");
            let error = session.control.last_error().expect("why it was given up").to_string();
            assert!(error.contains("engine 1") && error.contains("on purpose"), "{error}");
            // Asked again, it is tried again.
            assert!(session.audio.set_engine(1).is_ok());
            let (output, late) = heard(&mut session, 60);
            assert_eq!((output, late), (vec![1.0; 60 * HOP], 0), "{trouble:?}, fade {fade}, again");
            assert_eq!(session.control.switching().given_up, 2);
        }
    }
}

#[test]
fn one_that_breaks_later_gives_way_to_the_one_before_it() {
    for fade in [0, 128] {
        for trouble in [Trouble::Panics(20), Trouble::Errors(20, u64::MAX)] {
            let mut session = troubled(trouble, fade);
            heard(&mut session, 5);
            assert!(session.audio.set_engine(1).is_ok());
            let (output, _) = heard(&mut session, 15);
            assert_eq!(output[14 * HOP..], [0.5; HOP], "it works at first");
            let (output, late) = heard(&mut session, 60);
            assert!(late > 0 && late < 10 * HOP as u64, "{trouble:?}, fade {fade}: {late} late");
            assert_eq!(output[30 * HOP..], vec![1.0; 30 * HOP], "{trouble:?}, fade {fade}");
            let told = session.control.switching();
            assert_eq!((told.asked, told.heard, told.given_up), (1, 0, 1));
            assert!(session.control.last_error().is_some());
        }
    }
}

#[test]
fn a_few_failures_are_late_samples_as_with_one_engine() {
    let mut session = troubled(Trouble::Errors(20, 22), 128);
    assert!(session.audio.set_engine(1).is_ok());
    let (output, late) = heard(&mut session, 60);
    assert_eq!(late, 3 * HOP as u64);
    assert_eq!(output[30 * HOP..], vec![0.5; 30 * HOP]);
    assert_eq!(session.control.switching().given_up, 0);
}

#[test]
fn an_engine_that_fails_at_first_and_is_asked_for_again_is_heard() {
    let mut session = troubled(Trouble::Errors(0, 7), 64);
    for _ in 0..10 {
        assert!(session.audio.set_engine(1).is_ok());
        let (_, late) = heard(&mut session, 10);
        assert_eq!(late, 0);
    }
    let told = session.control.switching();
    assert!(told.given_up > 0 && told.heard == 1, "{told:?}");
}

#[test]
fn where_the_old_engine_fails_within_the_fade_the_new_one_is_heard() {
    let voices = [Voice::new(HOP, 1.0, 20).with(Trouble::Errors(6, u64::MAX)), Voice::new(HOP, 0.5, 20)];
    let mut session = session(&voices, 2000, HOP);
    heard(&mut session, 6);
    assert!(session.audio.set_engine(1).is_ok());
    let (output, late) = heard(&mut session, 60);
    assert_eq!(late, 0);
    assert_eq!(output[2 * HOP..], vec![0.5; 58 * HOP]);
}

#[test]
fn an_engine_that_is_not_there_is_refused_and_nothing_changes() {
    let mut session = troubled(Trouble::None, 64);
    let status = session.audio.set_engine(2);
    assert_eq!(status.fault, Some(anira::Fault::NoEngine));
    let error = session.control.set_engine(7).unwrap_err().to_string();
    for word in ["engine", "7", "from 0 to 1"] {
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(session.control.switching().asked, 0);
    session.on_time(HOP, 10);
}

#[test]
fn what_was_asked_for_outlives_a_prepare_and_the_handler_its_sessions() {
    let mut session = troubled(Trouble::None, 64);
    session.ask(1, true);
    session.on_time(HOP, 10);
    let Prepared { mut audio, .. } = valid(session.handler.prepare(&HostConfig::fixed(crate::RATE, HOP)));
    let mut output = Vec::new();
    for _ in 0..4 {
        let mut block = [1.0f32; HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        while session.driver.run_one() {}
        output.extend(block);
    }
    assert_eq!(output[2 * HOP..3 * HOP], [0.5; HOP], "the new session begins with engine 1");
}
