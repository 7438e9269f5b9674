//! Sessions whose engines are switched and exchanged while they play.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::EngineSpec;
use anira::prelude::*;

use super::{HOP, answers, config, drop_watched};
use crate::callback::Watch;
use crate::{Quick, mono, settle, valid};

/// Three engines on workers: one that works, one that fails now and then, one that never works.
pub(super) fn on_workers(watch: &mut Watch<'_>) {
    let runs = Arc::new(AtomicU64::new(0));
    let engine = |kind: u64| {
        let runs = runs.clone();
        answers(move || match kind {
            1 if runs.fetch_add(1, Ordering::Relaxed) % 7 == 6 => {
                Err(Error::new(ErrorKind::Engine, "now and then"))
            }
            2 => Err(Error::new(ErrorKind::Engine, "always")),
            _ => Ok(()),
        })
    };
    let builder = InferenceHandler::builder(config()).backend(engine(0)).swappable(true);
    let builder = builder.engine(EngineSpec::new(engine(1))).engine(EngineSpec::new(engine(2)));
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    for round in 0..40 {
        watch("set_engine", &mut || _ = audio.set_engine(round % 4));
        if round % 4 == 0 {
            // At the earliest two blocks after the last: where it is not seen yet it is taken back.
            let _ = handler.swap(round / 4 % 3, &EngineSpec::new(engine(0)), Duration::ZERO);
        }
        blocks(&mut audio, watch, || settle(&control));
        if round % 13 == 12 {
            watch("reset", &mut || audio.reset());
        }
    }
    let told = control.switching();
    assert!(told.switched > 10 && told.given_up > 0, "{told:?}");
    drop_watched(audio, "drop", watch);
}

/// Two engines that run in the call, one of them failing now and then, exchanged as often as they are switched.
pub(super) fn inline(watch: &mut Watch<'_>) {
    let runs = Arc::new(AtomicU64::new(0));
    let fails = move || {
        let runs = runs.clone();
        Quick(mono(HOP, move |x, y| {
            y.copy_from_slice(x);
            match runs.fetch_add(1, Ordering::Relaxed) % 9 {
                8 => Err(Error::new(ErrorKind::Engine, "now and then")),
                _ => Ok(()),
            }
        }))
    };
    let config = crate::plain(HOP, Duration::from_millis(1));
    let builder = InferenceHandler::builder(config).backend(fails()).scheduler(Inline).swappable(true);
    let mut handler = valid(builder.engine(EngineSpec::new(fails())).build());
    let Prepared { mut audio, .. } = valid(handler.prepare(&HostConfig::varying(48_000.0, 100)));
    for round in 0..30 {
        watch("set_engine", &mut || _ = audio.set_engine(round % 2));
        let _ = handler.swap(round % 2, &EngineSpec::new(fails()), Duration::ZERO);
        blocks(&mut audio, watch, || ());
    }
    assert!(handler.control().switching().switched > 10);
    drop_watched(audio, "drop", watch);
}

/// Some blocks; `between` comes after each.
fn blocks<B: Backend, S: Scheduler<anira::EngineOf<B>>>(
    audio: &mut Audio<B, HopProcessor, S>,
    watch: &mut Watch<'_>,
    mut between: impl FnMut(),
) {
    for n in [HOP, 100, 7, HOP, 300, HOP] {
        let mut block = vec![0.25f32; n];
        watch("process", &mut || _ = audio.process(&mut [&mut block[..]]));
        between();
    }
}
