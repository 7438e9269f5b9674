//! Far too much at once, on real threads: what comes out is right, or silent and counted; nothing else is lost, and when it is over every
//! stream is on time again. Stalls, where timing decides, are in `tests/exact/recovery.rs`.
//!
//! Nothing here depends on speed: a machine that is quick enough is never late, and that is as right.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira_tests::{cut, mono, settle, valid};

const RATE: f64 = 48_000.0;

/// A session of a ramp, and what became of it.
struct Playing<B: Backend> {
    audio: Audio<B, HopProcessor, Pool>,
    control: Control,
    latency: u64,
    zero_fill: u64,
    hop: usize,
    block: usize,
    /// Samples that went in and out.
    at: u64,
    /// Samples that were silent and should not have been, as counted here.
    silent: u64,
    _handler: InferenceHandler<B, HopProcessor, Pool>,
}

impl<B: Backend> Playing<B> {
    fn new(backend: B, pool: &Pool, hop: usize, block: usize) -> Self {
        let config = cut()
            .input(InputTensor::stream("input", hop))
            .output(OutputTensor::stream("output", hop))
            .max_inference(Duration::from_secs_f64(hop as f64 / RATE / 2.0));
        let builder = InferenceHandler::builder(valid(config.build())).backend(backend);
        let mut handler = valid(builder.scheduler(pool.clone()).build());
        let control = handler.control();
        let Prepared { audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(RATE, block)));
        let (latency, zero_fill) = (report.latency[0].samples, report.latency[0].zero_fill());
        Self { audio, control, latency, zero_fill, hop, block, at: 0, silent: 0, _handler: handler }
    }

    /// One callback: each sample is the one of a latency ago, or silent, and then counted. Late samples of this block.
    #[track_caller]
    fn callback(&mut self) -> u64 {
        let mut block: Vec<f32> = (self.at..).take(self.block).map(|n| (n + 1) as f32).collect();
        let status = self.audio.process(&mut [&mut block[..]]);
        assert_eq!(status.fault, None);
        let mut silent = 0;
        for (position, sample) in (self.at..).zip(block) {
            match position.checked_sub(self.latency) {
                Some(right) if sample != (right + 1) as f32 => {
                    assert!(sample == 0.0, "sample {position} is {sample}, not {}", right + 1);
                    silent += 1;
                }
                None => assert!(sample == 0.0, "sample {position} is {sample}, before the latency"),
                Some(_) => {}
            }
        }
        assert_eq!(status.late_samples, silent, "what is silent is late, and the other way round");
        self.silent += silent;
        self.at += self.block as u64;
        silent
    }

    /// After too much: every hop has come to an end that is known, and the stream is on time when what was lost has gone out.
    #[track_caller]
    fn assert_recovers(&mut self, callbacks: usize) {
        settle(&self.control);
        let back = self.zero_fill as usize + 2 * (self.hop + self.block);
        for _ in 0..back.div_ceil(self.block) {
            self.callback();
            settle(&self.control);
        }
        for n in 0..callbacks {
            assert_eq!(self.callback(), 0, "late again, {n} callbacks after it was over");
            settle(&self.control);
        }
        let counts = self.control.telemetry();
        assert_eq!(counts.late_samples, self.silent);
        assert_eq!(counts.submitted, self.at / self.hop as u64, "each hop was submitted once");
        assert_eq!(counts.submitted, counts.returned + counts.dropped);
        assert_eq!((counts.failed, self.control.last_error()), (0, None));
    }
}

/// A copy that takes a while, without a system call.
fn slow(hop: usize, rounds: u32) -> impl Backend {
    mono(hop, move |x, y| {
        (0..rounds).for_each(|_| std::hint::spin_loop());
        y.copy_from_slice(x);
        Ok(())
    })
}

#[test]
fn two_audio_threads_that_call_without_a_pause_lose_no_session() {
    let pool = valid(Pool::builder().threads(2).build());
    // Many hops in a callback, and many callbacks to a hop; neither divides the other in two of them.
    const SIZES: [(usize, usize); 8] =
        [(64, 64), (64, 256), (96, 64), (64, 96), (32, 256), (256, 64), (128, 480), (64, 512)];
    let mut sessions: Vec<_> =
        SIZES.iter().map(|&(hop, block)| Playing::new(slow(hop, 2_000), &pool, hop, block)).collect();
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for half in sessions.chunks_mut(4) {
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        for session in &mut *half {
                            session.callback();
                        }
                    }
                });
            }
        });
        sessions.iter_mut().for_each(|session| session.assert_recovers(200));
    }
}

#[test]
fn sessions_that_come_and_go_by_the_thousand_disturb_none_that_plays() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut playing = Playing::new(Bypass, &pool, 64, 64);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (pool, over) = (&pool, &over);
            scope.spawn(move || {
                for n in 0..1_500 {
                    // Of several kinds, so that bands are dealt anew; some end with a hop on its way.
                    let (hop, block) = [(64, 64), (480, 512), (2048, 128)][(n + thread) % 3];
                    let mut session: Playing<Bypass> = Playing::new(Bypass, pool, hop, block);
                    (0..n % 4).for_each(|_| {
                        let _ = session.callback();
                    });
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        let mut callbacks = 0u64;
        while !over.load(Ordering::Relaxed) {
            assert_eq!(playing.callback(), 0, "callback {callbacks}");
            settle(&playing.control);
            callbacks += 1;
        }
        assert!(callbacks > 0);
    });
    playing.assert_recovers(200);
    let now = pool.snapshot();
    assert_eq!((now.sessions, now.leaving), (1, 0));
}

fn two_hundred<B: Backend>(backend: impl Fn(usize) -> B, pool: &Pool) -> Vec<Playing<B>> {
    let sizes = |n: usize| [(64, 64), (256, 64), (64, 256), (480, 128), (100, 128)][n % 5];
    (0..200)
        .map(|n| {
            let (hop, block) = sizes(n);
            Playing::new(backend(hop), pool, hop, block)
        })
        .collect()
}

#[test]
fn of_two_hundred_sessions_none_is_late_where_none_need_be() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut sessions = two_hundred(|_| Bypass, &pool);
    for _ in 0..20 {
        for session in &mut sessions {
            assert_eq!(session.callback(), 0);
        }
        // The time that engines have until the next callback: as long as it takes.
        sessions.iter().for_each(|session| settle(&session.control));
    }
}

#[test]
fn two_hundred_sessions_that_are_called_without_a_pause_all_come_back() {
    let pool = valid(Pool::builder().threads(2).build());
    let mut sessions = two_hundred(|hop| slow(hop, 200), &pool);
    for _ in 0..30 {
        sessions.iter_mut().for_each(|session| {
            let _ = session.callback();
        });
    }
    sessions.iter_mut().for_each(|session| session.assert_recovers(8));
}
