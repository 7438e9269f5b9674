//! Preparing again: what fails changes nothing, what succeeds loads nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anira::prelude::*;
use anira::traits::{EngineRequest, LoadRequest, Model, Signature};
use anira_tests::{Random, assert_same, cut, delayed, plain, ramp, refused, send, valid};

use super::{HOP, WORST, realtime};

/// A bypass that counts, and whose models refuse to make engines when they are told to.
#[derive(Clone, Default)]
struct Moody {
    loads: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
    refuses: Arc<AtomicBool>,
}

struct MoodyModel {
    inner: <Bypass as Backend>::Model,
    moody: Moody,
}

impl Backend for Moody {
    type Model = MoodyModel;

    fn name(&self) -> &str {
        "moody"
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<MoodyModel, Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Ok(MoodyModel { inner: Bypass.load(source, request)?, moody: self.clone() })
    }
}

impl Model for MoodyModel {
    type Engine = <<Bypass as Backend>::Model as Model>::Engine;

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine, Error> {
        if self.moody.refuses.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Engine, "not today"));
        }
        self.moody.made.fetch_add(1, Ordering::SeqCst);
        self.inner.engine(request)
    }
}

#[test]
fn a_prepare_that_fails_leaves_the_running_session_as_it_is() {
    let moody = Moody::default();
    let scheduler = valid(Driven::new(1));
    let mut driver = scheduler.driver();
    let builder = InferenceHandler::builder(plain(HOP, WORST)).backend(moody.clone()).scheduler(scheduler);
    let mut handler = valid(builder.build());
    let control = handler.control();
    let Prepared { mut audio, report, .. } = valid(handler.prepare(&realtime()));
    let input = ramp(40 * HOP);
    let mut output = Vec::new();
    for (k, block) in input.chunks(HOP).enumerate() {
        let before = control.telemetry();
        let (host, kind) = match k % 5 {
            0 => (HostConfig::fixed(48_000.0, 0), ErrorKind::Host),
            1 => (HostConfig::fixed(96_000.0, HOP), ErrorKind::Overload),
            2 => (realtime().channels(2), ErrorKind::Overload),
            3 => (realtime().channels(0), ErrorKind::Host),
            _ => (HostConfig::fixed(44_100.0, 33), ErrorKind::Engine),
        };
        moody.refuses.store(kind == ErrorKind::Engine, Ordering::SeqCst);
        refused(handler.prepare(&host), kind, &[]);
        moody.refuses.store(false, Ordering::SeqCst);
        assert_eq!(control.telemetry(), before, "no counter moved");
        let (out, late) = send(&mut audio, block, &[HOP]);
        assert_eq!(late, 0);
        output.extend(out);
        // In every other callback the prepare fails while a hop waits.
        if k % 2 == 1 {
            refused(handler.prepare(&HostConfig::fixed(0.0, 1)), ErrorKind::Host, &["sample_rate"]);
        }
        assert!(driver.run_one() && !driver.run_one());
    }
    assert_same(&output, &delayed(&input, report.latency[0].samples), "undisturbed");
    assert_eq!(audio.latency(0), Some(report.latency[0].samples));
    assert_eq!((moody.loads.load(Ordering::SeqCst), moody.made.load(Ordering::SeqCst) <= 2), (1, true));
    // And the next that can be had is had.
    valid(handler.prepare(&HostConfig::fixed(44_100.0, 33)));
}

#[test]
fn another_rate_or_block_loads_nothing_again() {
    let moody = Moody::default();
    let builder = InferenceHandler::builder(plain(HOP, Duration::from_micros(300))).backend(moody.clone());
    let mut handler = valid(builder.scheduler(valid(Driven::new(1))).build());
    let hosts = [
        realtime(),
        HostConfig::fixed(96_000.0, 480),
        HostConfig::varying(44_100.0, 512),
        realtime().mode(Mode::Offline),
        HostConfig::fixed(8000.0, 1),
    ];
    for (n, host) in hosts.iter().cycle().take(50).enumerate() {
        let prepared = valid(handler.prepare(host));
        drop(prepared);
        assert_eq!(moody.loads.load(Ordering::SeqCst), 1);
        assert!(moody.made.load(Ordering::SeqCst) <= n as u64 + 1, "one engine for each session at most");
    }
}

#[test]
fn going_offline_changes_no_latency() {
    let mut random = Random(17);
    for _ in 0..2000 {
        let (hop, block) = (1 + random.below(600), 1 + random.below(1100));
        let rate = [8000.0, 44_100.0, 48_000.0, 96_000.0, 192_000.0][random.below(5)];
        let hop_out = if random.below(3) == 0 { 1 + random.below(600) } else { hop };
        let engines = 1 + random.below(3);
        let share = random.below(101) as f64 / 101.0 * engines as f64;
        let config = cut()
            .input(InputTensor::stream("x", hop))
            .output(OutputTensor::stream("y", hop_out))
            .engines(engines)
            .blocking_ratio(random.below(3) as f64 / 2.0)
            .max_inference(Duration::from_secs_f64(share * hop as f64 / rate));
        let builder = InferenceHandler::builder(valid(config.build())).backend(Bypass);
        let handler = valid(builder.scheduler(valid(Driven::new(3))).build());
        let host = match random.below(2) {
            0 => HostConfig::fixed(rate, block),
            _ => HostConfig::fixed(rate, block)
                .block(BlockSize::Varying { min: 1 + random.below(block), max: block }),
        };
        let (live, rendered) = (handler.latency(&host), handler.latency(&host.mode(Mode::Offline)));
        assert_eq!(valid(live), valid(rendered), "{hop} {hop_out} {host:?}");
    }
}
