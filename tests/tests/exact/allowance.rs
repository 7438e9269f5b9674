//! A scheduling allowance: what a worker may need before it begins is in the latency, and covered by it.

use std::sync::Arc;
use std::time::Duration;

use anira::prelude::*;
use anira::scheduler::{DrivenAttachment, DrivenSubmit};
use anira::traits::{InferenceConfigBuilder, Result, SchedulingAllowance, Terms, Timing, Work};
use anira_tests::{refused, valid};

use super::host::Virtual;
use super::{RATE, built, mono, rounds, samples};

#[test]
fn workers_that_begin_as_late_as_is_allowed_are_in_time_and_a_block_more_is_not() {
    for (block, hop, time, allowance) in
        [(96, 64, 20, 40), (480, 512, 240, 245), (64, 64, 60, 4), (7, 12, 3, 8), (12, 5, 0, 5), (1, 8, 4, 4)]
    {
        for (engines, ratio) in [(1, 0.0), (3, 0.0), (1, 0.5)] {
            let plain = || mono(hop, hop, samples(time)).engines(engines).blocking_ratio(ratio);
            let host = HostConfig::fixed(RATE, block);
            let latency = |builder| Virtual::new(built(builder), Bypass, &host).report.latency;
            let as_long = plain().max_inference(samples(time + allowance));
            let allowed = plain().scheduling_allowance(samples(allowance));
            assert_eq!(latency(allowed.clone()), latency(as_long), "{block} into {hop}");

            let mut session = Virtual::new(built(allowed), Bypass, &host);
            assert_eq!(
                session.report.max_inference,
                samples(time),
                "what is told of the model is the model's"
            );
            assert_eq!(session.report.scheduling_allowance, samples(allowance));
            session.slower_by(samples(allowance));
            session.on_time(vec![block; rounds(block, hop)]);
            assert_eq!(session.slack, [0], "{block} into {hop}: and nothing is left");
            session.reset();
            session.slower_by(samples(allowance + block));
            (0..rounds(block, hop)).for_each(|_| session.callback(block));
            assert!(session.missed > 0, "{block} into {hop}");
        }
    }
}

#[test]
fn where_the_callback_itself_runs_the_engine_nobody_has_to_begin() {
    let config = built(mono(64, 64, samples(40)).scheduling_allowance(samples(10)));
    let builder = InferenceHandler::builder(config).backend(Bypass).scheduler(Offline);
    let mut handler = valid(builder.build());
    let host = HostConfig::fixed(RATE, 64).mode(Mode::Offline);
    let Prepared { report, .. } = valid(handler.prepare(&host));
    assert_eq!((report.latency[0].samples, report.scheduling_allowance), (0, Duration::ZERO));
}

#[test]
fn an_allowance_that_takes_all_of_the_time_is_refused_with_the_figures() {
    let config = built(mono(64, 64, samples(40)).scheduling_allowance(samples(25)));
    let builder = InferenceHandler::builder(config).backend(Bypass).scheduler(valid(Driven::new(1)));
    let words = ["0.04 ms and 0.025 ms before it can start", "2 engines", "65 samples", "at most 0.039 ms"];
    let host = HostConfig::fixed(RATE, 64);
    refused(valid(builder.build()).prepare(&host), ErrorKind::Overload, &words);
    let config = built(mono(64, 64, samples(1)).scheduling_allowance(samples(70)));
    let builder = InferenceHandler::builder(config).backend(Bypass).scheduler(valid(Driven::new(1)));
    refused(valid(builder.build()).prepare(&host), ErrorKind::Overload, &["a smaller scheduling allowance"]);
}

/// Hops of 512 in blocks of 128 at 48 kHz, 2 ms each, and needed in the next callback.
fn short() -> InferenceConfigBuilder {
    mono(512, 512, Duration::from_millis(2))
}

fn handler<S: Scheduler<anira::EngineOf<Bypass>>>(
    config: InferenceConfigBuilder,
    scheduler: S,
) -> InferenceHandler<Bypass, HopProcessor, S> {
    valid(InferenceHandler::builder(built(config)).backend(Bypass).scheduler(scheduler).build())
}

fn host() -> HostConfig {
    HostConfig::fixed(48_000.0, 128)
}

/// What a session with an automatic allowance gets, before and after sessions with these inference times in milliseconds came
/// that can wait for longer.
fn beside<S: Scheduler<anira::EngineOf<Bypass>> + Clone>(scheduler: &S, others: &[u64]) -> Vec<Duration> {
    let auto = || handler(short().scheduling_allowance(SchedulingAllowance::Auto), scheduler.clone());
    let mut kept = Vec::new();
    let mut seen = Vec::new();
    for &time in [&0].into_iter().chain(others) {
        if time > 0 {
            let mut other = handler(mono(8192, 8192, Duration::from_millis(time)), scheduler.clone());
            let prepared = valid(other.prepare(&HostConfig::fixed(48_000.0, 8192)));
            kept.push((other, prepared));
        }
        let mut auto = auto();
        let foretold = valid(auto.latency(&host()));
        let Prepared { report, .. } = valid(auto.prepare(&host()));
        assert_eq!(report.latency, foretold);
        let allowance = report.scheduling_allowance;
        let declared = handler(short().scheduling_allowance(allowance), scheduler.clone());
        assert_eq!(report.latency, valid(declared.latency(&host())), "as if it had been declared");
        seen.push(allowance);
    }
    // They are gone, and so is what they would have cost.
    drop(kept);
    assert_eq!(valid(auto().prepare(&host())).report.scheduling_allowance, Duration::ZERO);
    seen
}

#[test]
fn automatic_is_as_long_as_others_may_stand_in_the_way() {
    let ms = Duration::from_millis;
    assert_eq!(
        beside(&valid(Driven::new(1)), &[3, 8, 5]),
        [ms(0), ms(3), ms(8), ms(8)],
        "the longest of them"
    );
    let one_band = valid(Pool::builder().threads(1).bands(1).build());
    assert_eq!(beside(&one_band, &[3, 8]), [ms(0), ms(3), ms(8)]);
    // What is needed sooner is served before, and does not stand in the way any longer than it takes to finish: it is no blocking.
    let driven = valid(Driven::new(1));
    let mut urgent = handler(mono(32, 32, Duration::from_micros(300)), driven.clone());
    let _urgent = valid(urgent.prepare(&HostConfig::fixed(48_000.0, 32)));
    assert_eq!(beside(&driven, &[]), [ms(0)]);
}

/// A scheduler that knows nothing of its sessions.
#[derive(Clone)]
struct Mute(Driven);

impl<E: Engine> Scheduler<E> for Mute {
    type Submit<W: Work<Engine = E>> = DrivenSubmit<W>;
    type Attachment<W: Work<Engine = E>> = DrivenAttachment;

    fn timing(&self) -> Timing {
        Scheduler::<E>::timing(&self.0)
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: Arc<W>,
        terms: Terms,
    ) -> Result<(DrivenSubmit<W>, DrivenAttachment)> {
        self.0.attach(work, terms)
    }
}

#[test]
fn automatic_is_refused_where_the_scheduler_cannot_say() {
    let mut session =
        handler(short().scheduling_allowance(SchedulingAllowance::Auto), Mute(valid(Driven::new(1))));
    refused(
        session.prepare(&host()),
        ErrorKind::Config,
        &["scheduling_allowance", "auto", "a time in milliseconds"],
    );
}
