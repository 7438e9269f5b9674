//! Exchanges that come to nothing, or are under way when a session ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anira::backends::{FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira_tests::{Gate, plain, refused, signature, valid};

use crate::{Trouble, Voice, builder, gain};

const HOP: usize = 64;
const LONG: Duration = Duration::from_secs(60);

/// A handler of one engine that can be exchanged, with long fades, on a driver of the test's.
fn handler(fade: usize) -> (InferenceHandler<crate::Gain, HopProcessor, Driven>, anira::scheduler::Driver) {
    let driven = valid(Driven::new(1));
    let driver = driven.driver();
    let builder = builder(&[Voice::new(HOP, 1.0, 20)], fade).swappable(true);
    (valid(builder.scheduler(driven).build()), driver)
}

fn spec(voice: Voice) -> EngineSpec<crate::Gain> {
    EngineSpec::new(gain(voice.clone())).config(voice.config())
}

/// Blocks of ones; the last sample of the last of them.
fn play<B: Backend>(
    audio: &mut Audio<B, HopProcessor, Driven>,
    driver: &mut anira::scheduler::Driver,
    count: usize,
) -> f32 {
    let mut last = 0.0;
    for _ in 0..count {
        let mut block = [1.0f32; HOP];
        assert_eq!(audio.process(&mut [&mut block[..]]).fault, None);
        while driver.run_one() {}
        last = block[HOP - 1];
    }
    last
}

#[test]
fn a_refused_exchange_is_told_at_once_and_is_not_waited_for() {
    for trouble in [Trouble::Errors(0, u64::MAX), Trouble::Panics(0)] {
        let (mut handler, mut driver) = handler(100);
        let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
        play(&mut audio, &mut driver, 5);
        valid(handler.swap(0, &spec(Voice::new(HOP, 9.0, 20).with(trouble)), LONG));
        // Not seen yet: that may still become anything.
        refused(handler.await_swaps(Duration::from_millis(2)), ErrorKind::Timeout, &["engine 0", "not seen"]);
        assert_eq!(play(&mut audio, &mut driver, 20), 1.0);
        for _ in 0..3 {
            refused(handler.await_swaps(LONG), ErrorKind::Engine, &["engine 0", "before plays on"]);
        }
        // Asked for again it is tried again, and found unfit again.
        assert!(audio.set_engine(0).is_ok());
        assert_eq!(play(&mut audio, &mut driver, 20), 1.0);
        refused(handler.await_swaps(LONG), ErrorKind::Engine, &["engine 0"]);
        assert_eq!(handler.control().switching().given_up, 2);
        valid(handler.swap(0, &spec(Voice::new(HOP, 2.0, 20)), Duration::ZERO));
        assert_eq!(play(&mut audio, &mut driver, 20), 2.0);
        valid(handler.await_swaps(LONG));
    }
}

#[test]
fn without_anything_pending_nothing_is_waited_for() {
    let (mut handler, mut driver) = handler(100);
    valid(handler.await_swaps(LONG));
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
    valid(handler.await_swaps(LONG));
    play(&mut audio, &mut driver, 5);
    let longer = Voice::new(2 * HOP, 1.0, 20);
    assert!(handler.swap(0, &spec(longer), LONG).is_err());
    valid(handler.await_swaps(LONG));
    // The audio half that has not seen the last one is gone.
    valid(handler.swap(0, &spec(Voice::new(HOP, 2.0, 20)), LONG));
    drop(audio);
    valid(handler.await_swaps(LONG));
}

/// The old engine still plays and the new one does not, as after a refusal; but that ends by itself.
#[test]
fn an_engine_that_is_exchanged_while_another_fades_in_is_not_refused() {
    let driven = valid(Driven::new(1));
    let mut driver = driven.driver();
    let builder = builder(&[Voice::new(HOP, 1.0, 20), Voice::new(HOP, 0.5, 20)], 100 * HOP).swappable(true);
    let mut handler = valid(builder.scheduler(driven).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(1e6, HOP)));
    assert!(audio.set_engine(1).is_ok());
    play(&mut audio, &mut driver, 5);
    valid(handler.swap(0, &spec(Voice::new(HOP, 3.0, 20)), LONG));
    play(&mut audio, &mut driver, 5);
    refused(handler.await_swaps(Duration::from_millis(2)), ErrorKind::Timeout, &["engine 0", "fades"]);
    play(&mut audio, &mut driver, 100);
    valid(handler.await_swaps(LONG));
    assert!(audio.set_engine(0).is_ok());
    assert_eq!(play(&mut audio, &mut driver, 110), 3.0);
}

/// One session rests with an exchange that it has not seen, another is in the midst of it: neither has changed when the next one is
/// refused for want of time.
#[test]
fn an_exchange_that_has_no_time_leaves_every_session_as_it_was() {
    let (mut handler, mut driver) = handler(100 * HOP);
    let host = HostConfig::fixed(1e6, HOP);
    let mut resting = valid(handler.prepare(&host)).audio;
    let mut fading = valid(handler.prepare(&host)).audio;
    play(&mut resting, &mut driver, 5);
    play(&mut fading, &mut driver, 5);
    valid(handler.swap(0, &spec(Voice::new(HOP, 2.0, 20)), LONG));
    play(&mut fading, &mut driver, 5);
    let again = handler.swap(0, &spec(Voice::new(HOP, 3.0, 20)), Duration::from_millis(2));
    refused(again, ErrorKind::Timeout, &["engine 0", "fades"]);
    assert_eq!(play(&mut resting, &mut driver, 110), 2.0, "the exchange that it had not seen yet");
    assert_eq!(play(&mut fading, &mut driver, 110), 2.0);
    valid(handler.await_swaps(LONG));
}

/// How the test's audio thread is called.
const AUDIO: &str = "audio";

/// How many models there are, and how many were freed by an audio thread or a worker.
#[derive(Clone, Default)]
struct Counts {
    alive: Arc<AtomicI64>,
    freed_elsewhere: Arc<AtomicU64>,
}

struct Token(Counts);

impl Drop for Token {
    fn drop(&mut self) {
        let thread = std::thread::current();
        if thread.name().is_some_and(|name| name == AUDIO || name.starts_with("anira")) {
            self.0.freed_elsewhere.fetch_add(1, Ordering::SeqCst);
        }
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A counted model that copies; its runs pass the gate.
fn counted(counts: &Counts, gate: &Arc<Gate>) -> impl Backend + use<> {
    let (shape, gate) = ([1, 1, HOP], gate.clone());
    counts.alive.fetch_add(1, Ordering::SeqCst);
    let token = Token(counts.clone());
    FnBackend::new("counted", signature(&[("input", &shape)], &[("output", &shape)]), move || {
        let (gate, _) = (gate.clone(), &token);
        move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            gate.pass();
            y.f32(0)?.copy_from_slice(x.f32(0)?);
            Ok(())
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Unseen,
    Fading,
    /// A worker is in the new engine, or in the old one.
    Inside,
}

/// Old and new engine are freed with their session, by a thread that owns one, whatever ends first and whatever the exchange was at.
#[test]
fn a_session_that_ends_within_an_exchange_leaves_neither_engine() {
    for moment in [Moment::Unseen, Moment::Fading, Moment::Inside] {
        for (audio_first, close) in [(true, true), (true, false), (false, true), (false, false)] {
            let what = format!("{moment:?}, audio first: {audio_first}, close: {close}");
            let (counts, gate) = (Counts::default(), Gate::new());
            let config = plain(HOP, Duration::from_micros(300));
            let builder = InferenceHandler::builder(config).backend(counted(&counts, &gate));
            let builder = builder.switch_fade(1000 * HOP).swappable(true);
            let mut handler = valid(builder.scheduler(valid(Pool::builder().threads(1).build())).build());
            let control = handler.control();
            let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
            // The audio thread: it plays, and drops its half when it is told to.
            let (orders, work) = std::sync::mpsc::channel::<usize>();
            let (done, played) = std::sync::mpsc::channel();
            let host = std::thread::Builder::new().name(AUDIO.into()).spawn(move || {
                for blocks in work {
                    for _ in 0..blocks {
                        let _ = audio.process(&mut [&mut [1.0f32; HOP][..]]);
                    }
                    done.send(()).unwrap();
                }
            });
            let host = host.unwrap();
            let play = |blocks| {
                orders.send(blocks).unwrap();
                played.recv().unwrap();
            };
            play(4);
            anira_tests::settle(&control);
            valid(handler.swap(0, &EngineSpec::new(counted(&counts, &gate)), LONG));
            match moment {
                Moment::Unseen => {}
                Moment::Fading => {
                    play(4);
                    anira_tests::settle(&control);
                    assert_eq!(control.switching().switched, 0, "{what}");
                }
                Moment::Inside => {
                    gate.shut();
                    play(4);
                    gate.await_waiting(1);
                }
            }
            assert_eq!(counts.alive.load(Ordering::SeqCst), 2, "{what}");
            let opener = gate.clone();
            let open = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                opener.open();
            });
            let end = |handler: InferenceHandler<_, _, _>| match close {
                true => valid(handler.close(LONG)),
                false => drop(handler),
            };
            if audio_first {
                drop(orders);
                host.join().unwrap();
                end(handler);
            } else {
                end(handler);
                assert!(counts.alive.load(Ordering::SeqCst) > 0, "{what}: the audio half is still there");
                drop(orders);
                host.join().unwrap();
                // Whoever comes by next frees what is left: here, the end of another session's owner, or one in a test beside.
                valid(InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(Bypass).build())
                    .await_swaps(LONG)
                    .unwrap();
            }
            open.join().unwrap();
            anira_tests::eventually(&format!("{what}: no engines are left"), || {
                counts.alive.load(Ordering::SeqCst) == 0
            });
            let elsewhere = counts.freed_elsewhere.load(Ordering::SeqCst);
            assert_eq!(elsewhere, 0, "{what}: freed by the audio thread or a worker");
        }
    }
}
