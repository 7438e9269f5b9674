//! Sessions share one loaded model per backend, bytes and options; engines are their own; no lock is held while one loads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anira::backends::{BypassModel, FnBackend, Inputs, Outputs};
use anira::prelude::*;
use anira::traits::LoadRequest;
use anira_tests::{Gate, fixture, plain, refused, signature, valid};

const HOP: usize = 64;

/// Counts what is loaded, and passes a gate in every load. Bytes that begin with 0 are refused, those that begin with 1 panic.
#[derive(Clone)]
struct Counting {
    loads: Arc<AtomicU64>,
    gate: Arc<Gate>,
    more: Option<String>,
}

impl Counting {
    fn new() -> Self {
        Self { loads: Arc::default(), gate: Gate::new(), more: Some(String::new()) }
    }

    fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }
}

impl Backend for Counting {
    type Model = BypassModel;

    fn name(&self) -> &str {
        "counting"
    }

    fn sharing(&self, _request: &LoadRequest) -> Option<String> {
        self.more.clone()
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<BypassModel, Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let bytes = source.bytes()?;
        self.gate.pass();
        match bytes.first() {
            Some(0) => Err(Error::new(ErrorKind::Model, "begins with zero")),
            Some(1) => panic!("on purpose"),
            _ => {
                let mut bare = LoadRequest::new();
                bare.config = request.config.clone();
                Bypass.load(&ModelSource::None, &bare)
            }
        }
    }
}

type Handler = InferenceHandler<Counting, HopProcessor, Pool>;

fn built(backend: &Counting, source: ModelSource, option: &str) -> Result<Handler, Error> {
    InferenceHandler::builder(plain(HOP, Duration::from_millis(1)))
        .backend(backend.clone())
        .source(source)
        .options([("o".to_owned(), option.to_owned())])
        .build()
}

/// Bytes that no other test uses: the models of a process are one.
fn bytes(text: &str) -> ModelSource {
    ModelSource::memory(text.as_bytes())
}

fn same(a: &Handler, b: &Handler) -> bool {
    std::ptr::eq(a.model(), b.model())
}

#[test]
fn the_same_bytes_and_options_are_one_model() {
    let backend = Counting::new();
    let first = valid(built(&backend, bytes("one model"), "x"));
    let second = valid(built(&backend, bytes("one model"), "x"));
    assert!(same(&first, &second));
    assert_eq!(backend.loads(), 1);
    let other_bytes = valid(built(&backend, bytes("one modem"), "x"));
    let other_option = valid(built(&backend, bytes("one model"), "y"));
    let other_more = Counting { more: Some("more".to_owned()), ..backend.clone() };
    let other_more = valid(built(&other_more, bytes("one model"), "x"));
    for other in [&other_bytes, &other_option, &other_more] {
        assert!(!same(&first, other));
    }
    assert_eq!(backend.loads(), 4);
    // Both sound, each with an engine of its own.
    for mut handler in [first, second] {
        let mut audio = valid(handler.prepare(&HostConfig::fixed(48e3, HOP).mode(Mode::Offline))).audio;
        let mut block = [1.0f32; 3 * HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        assert_eq!(block[2 * HOP..], [1.0; HOP]);
    }
}

#[test]
fn a_backend_that_says_nothing_shares_nothing() {
    let backend = Counting { more: None, ..Counting::new() };
    let (a, b) = (valid(built(&backend, bytes("mine"), "x")), valid(built(&backend, bytes("mine"), "x")));
    assert!(!same(&a, &b));
    assert_eq!(backend.loads(), 2);
    // A closure has no bytes by which it could be known.
    let closure = |factor: f32| {
        let run = move |x: &Inputs<'_>, y: &mut Outputs<'_>| {
            y.f32(0)?.iter_mut().zip(x.f32(0)?).for_each(|(y, x)| *y = factor * x);
            Ok(())
        };
        let tensors = signature(&[("input", &[1, 1, HOP])], &[("output", &[1, 1, HOP])]);
        let backend = FnBackend::new("gain", tensors, move || run);
        let builder = InferenceHandler::builder(plain(HOP, Duration::ZERO)).backend(backend);
        let mut handler = valid(builder.scheduler(Offline).build());
        let mut audio = valid(handler.prepare(&HostConfig::fixed(48e3, HOP).mode(Mode::Offline))).audio;
        let mut block = [1.0f32; HOP];
        assert!(audio.process(&mut [&mut block[..]]).is_ok());
        block[0]
    };
    assert_eq!((closure(2.0), closure(3.0)), (2.0, 3.0));
}

#[test]
fn a_model_lives_as_long_as_its_sessions() {
    let backend = Counting::new();
    drop(valid(built(&backend, bytes("short life"), "x")));
    let again = valid(built(&backend, bytes("short life"), "x"));
    assert_eq!(backend.loads(), 2);
    let third = valid(built(&backend, bytes("short life"), "x"));
    drop(again);
    let fourth = valid(built(&backend, bytes("short life"), "x"));
    assert!(same(&third, &fourth));
    assert_eq!(backend.loads(), 2);
}

#[test]
fn a_file_is_known_by_its_bytes_not_by_its_name() {
    let backend = Counting::new();
    let folder = std::env::temp_dir().join(format!("anira-sharing-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        ModelSource::file(path)
    };
    let a = valid(built(&backend, file("a", "of a file"), "x"));
    let b = valid(built(&backend, file("b", "of a file"), "x"));
    assert!(same(&a, &b));
    // Written anew under the same name: another model, beside the one that sounds.
    let c = valid(built(&backend, file("a", "of another"), "x"));
    assert!(!same(&a, &c));
    refused(built(&backend, file("bad", "\0"), "x"), ErrorKind::Model, &["bad", "begins with zero"]);
    refused(built(&backend, ModelSource::file(folder.join("none")), "x"), ErrorKind::NotFound, &["none"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn who_asks_while_it_loads_gets_that_one_and_others_are_not_held_up() {
    let backend = Counting::new();
    backend.gate.shut();
    let other = Counting::new();
    std::thread::scope(|scope| {
        let loading: Vec<_> =
            (0..4).map(|_| scope.spawn(|| valid(built(&backend, bytes("slow"), "x")))).collect();
        backend.gate.await_waiting(1);
        // One of the four is inside its load, for as long as this test likes. Another model is loaded meanwhile.
        let quick = valid(built(&other, bytes("quick"), "x"));
        assert!(same(&quick, &valid(built(&other, bytes("quick"), "x"))));
        backend.gate.open();
        let handlers: Vec<_> = loading.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(handlers.iter().all(|handler| same(handler, &handlers[0])));
    });
    assert_eq!((backend.loads(), other.loads()), (1, 1));
}

#[test]
fn a_load_that_fails_or_panics_leaves_nothing_behind() {
    let backend = Counting::new();
    for _ in 0..2 {
        refused(built(&backend, bytes("\0"), "x"), ErrorKind::Model, &["begins with zero"]);
        let panicked = std::panic::catch_unwind(|| built(&backend, bytes("\u{1}"), "x").is_ok());
        assert!(panicked.is_err());
    }
    assert_eq!(backend.loads(), 4, "each was tried anew, and nobody waited for one that will not come");
}

#[test]
fn real_models_are_shared() {
    let handler = |engine: &str| {
        let config = InferenceConfig::builder()
            .input(InputTensor::stream("input", HOP).shape([1, 1, HOP]))
            .output(OutputTensor::stream("output", HOP))
            .build();
        let builder = InferenceHandler::builder(valid(config)).backend(Rten).source(fixture("dynamic.onnx"));
        valid(builder.options([("optimize".to_owned(), engine.to_owned())]).build())
    };
    let (a, b, other) = (handler("true"), handler("true"), handler("false"));
    assert!(std::ptr::eq(a.model(), b.model()));
    assert!(!std::ptr::eq(a.model(), other.model()));
}
