//! One bad input through a handler, and a session that plays meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira_tests::{assert_same, delayed, ramp, send_settled, valid};

use crate::files::{Format, HOP, Input, good};

/// Builds a session, prepares it and plays some hops; the first error.
pub(crate) fn attempt<B: Backend>(backend: B, input: &Input) -> Result<(), Error> {
    let source = input.source.clone().unwrap_or_else(|| ModelSource::memory(input.bytes.clone()));
    let config = input.config()?;
    let builder = InferenceHandler::builder(config).backend(backend).source(source);
    let options = input.options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut handler = builder.options(options).scheduler(Offline).build()?;
    let host = HostConfig::fixed(48_000.0, input.hop()).mode(Mode::Offline);
    let mut audio = handler.prepare(&host)?.audio;
    let sound = vec![0.25; input.hop()];
    for _ in 0..3 {
        let _ = audio.process_into(&[&sound[..]], &mut [&mut sound.clone()[..]]);
        if let Some(error) = handler.control().last_error() {
            return Err(error);
        }
    }
    Ok(())
}

/// Does something while a session of a good model plays on the same engine, which hears nothing of it: every sample is right and
/// none late. At least ten hops are played before, and ten behind it.
pub(crate) fn while_another_plays<B: Backend>(backend: B, format: Format, action: impl FnOnce()) {
    let input = good(format);
    let pool = valid(Pool::builder().threads(1).build());
    let config = valid(input.config()).with_max_inference(Duration::from_millis(10));
    let builder = InferenceHandler::builder(config).backend(backend);
    let builder = builder.source(ModelSource::memory(input.bytes.clone())).scheduler(pool);
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&HostConfig::fixed(48_000.0, HOP)));
    let latency = report.latency[0].samples;
    let (stop, mut hops) = (AtomicBool::new(false), 0);
    let sound = ramp(HOP);
    let right: Vec<f32> = sound.iter().map(|x| 0.5 * x).collect();
    let mut play = || {
        let (heard, late) = send_settled(&mut audio, &control, &sound, &[HOP]);
        // The same hop over and over: what is heard is it, turned by the latency.
        if hops as u64 * HOP as u64 >= latency {
            let turned = latency as usize % HOP;
            let right = [&right[HOP - turned..], &right[..HOP - turned]].concat();
            assert_same(&heard, &right, format_args!("hop {hops} of the other session"));
        } else {
            let all: Vec<f32> = right.iter().copied().cycle().take((hops + 1) * HOP).collect();
            assert_same(&heard, &delayed(&all, latency)[hops * HOP..], "the first hops");
        }
        assert_eq!((late, control.last_error()), (0, None), "hop {hops} of the other session");
        hops += 1;
    };
    (0..10).for_each(|_| play());
    std::thread::scope(|scope| {
        let playing = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                play();
            }
            (0..10).for_each(|_| play());
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
        stop.store(true, Ordering::Relaxed);
        playing.join().unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}
