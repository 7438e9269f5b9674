//! Bad input: every engine against every kind of file or configuration that should not be, through the handler. Each cell of
//! [`TABLE`] is an error of the kind that it names; the process lives, and a session that plays on the same engine meanwhile
//! hears nothing of it.

#![allow(clippy::unwrap_used, reason = "a test's failure")]
#![cfg_attr(
    not(all(feature = "onnxruntime", feature = "torch", feature = "tflite", feature = "litert")),
    allow(dead_code, reason = "files for engines that are not built")
)]

mod attempt;
mod files;
#[path = "../../../anira-backend-tflite/tests/support/flat.rs"]
mod flat;
#[cfg(target_os = "linux")]
mod given;
#[path = "../../../anira-backend-tflite/tests/support/plain.rs"]
mod plain;

use std::collections::BTreeMap;

use anira::prelude::*;

use attempt::{attempt, while_another_plays};
use files::{Bad, Format};

/// The engines, in the order of the table's columns.
const ENGINES: [&str; 5] = ["rten", "onnxruntime", "torch", "tflite", "litert"];

/// What one engine answers to one kind of bad input.
#[derive(Clone, Copy, Debug)]
enum Cell {
    /// An error of this kind.
    Is(ErrorKind),
    /// An error of one of two kinds: it depends on what the bytes happen to say.
    Either(ErrorKind, ErrorKind),
    /// There is no such input for this engine, for this reason.
    No(&'static str),
}

use Cell::{Either, Is, No};
use ErrorKind::{Config, DType, Model as Malformed, NonFinite, Shape, Unsupported};

const NO_SHAPES: &str = "a TorchScript file says nothing of shapes";
const NO_TYPES: &str = "a TorchScript file says nothing of types";

/// What is right for each input, by engine.
const TABLE: [(Bad, [Cell; 5]); 17] = [
    (Bad::Empty, [Is(Malformed); 5]),
    (Bad::Cut, [Is(Malformed); 5]),
    (Bad::RandomBehindAHeader, [Is(Malformed); 5]),
    (Bad::AnothersFile, [Is(Malformed); 5]),
    (Bad::InputOfAnotherShape, [Is(Shape); 5]),
    (Bad::OutputOfAnotherShape, [Is(Shape); 5]),
    (Bad::FileSaysAnotherShape, [Is(Shape), Is(Shape), No(NO_SHAPES), Is(Shape), Is(Shape)]),
    (Bad::StreamOfAnotherType, [Is(DType); 5]),
    (Bad::FileSaysAnotherType, [Is(DType), Is(Malformed), No(NO_TYPES), Is(Unsupported), Is(Unsupported)]),
    (Bad::LackingOperator, [Is(Unsupported); 5]),
    (Bad::NanWeights, [Is(NonFinite); 5]),
    (Bad::TenGibDeclared, [Is(Malformed), Is(Malformed), No(NO_SHAPES), Is(Malformed), Is(Malformed)]),
    (Bad::TenGibMade, [Is(Malformed); 5]),
    (
        Bad::TenGibComputed,
        [Is(Malformed), Is(Malformed), Is(ErrorKind::System), Is(Malformed), Is(Malformed)],
    ),
    (Bad::TenGibConfigured, [Is(Config); 5]),
    (Bad::FourGibConfigured, [Is(Shape); 5]),
    (Bad::Wound, [Either(Malformed, Unsupported); 5]),
];

/// Tries every cell of an engine's column; all that are wrong at once.
fn column<B: Backend + Clone>(backend: B) {
    let engine = ENGINES.iter().position(|name| *name == backend.name()).unwrap();
    let format = Format::of(backend.name());
    let mut wrong = BTreeMap::<String, usize>::new();
    let mut tried = 0;
    while_another_plays(backend.clone(), format, || {
        for (bad, cells) in TABLE {
            let attempts = files::attempts(format, bad);
            if let No(reason) = cells[engine] {
                assert!(attempts.is_empty(), "{bad:?} can be had after all, not: {reason}");
                continue;
            }
            assert!(!attempts.is_empty(), "{bad:?}: nothing to try");
            for input in attempts {
                tried += 1;
                let result = attempt(backend.clone(), &input);
                let right = match (&result, cells[engine]) {
                    (Err(error), Is(kind)) => error.kind() == kind,
                    (Err(error), Either(one, other)) => [one, other].contains(&error.kind()),
                    _ => false,
                };
                if !right {
                    let told = result.map_or_else(|e| format!("{:?}: {e}", e.kind()), |()| "it runs".into());
                    *wrong.entry(format!("{bad:?} should be {:?}: {told}", cells[engine])).or_default() += 1;
                }
            }
        }
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 600, "only {tried} tried");
}

/// The same bytes through a file: the error names it.
fn names_the_file<B: Backend + Clone>(backend: B) {
    let folder = std::env::temp_dir().join(format!("anira-hostile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("half.{}", backend.name()));
    let mut input = files::good(Format::of(backend.name()));
    std::fs::write(&path, &input.bytes[..input.bytes.len() / 2]).unwrap();
    input.source = Some(ModelSource::file(&path));
    let error = attempt(backend.clone(), &input).unwrap_err();
    assert_eq!(error.kind(), Malformed, "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = attempt(backend, &input).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

macro_rules! engines {
    ($($(#[$feature:meta])? $engine:ident $backend:expr, $right:expr;)*) => {
        $($(#[$feature])? mod $engine {
            use super::*;

            #[test]
            fn answers_bad_input_with_the_right_errors() {
                column($backend);
            }

            #[test]
            fn names_the_file() {
                super::names_the_file($backend);
            }

            #[cfg(target_os = "linux")]
            #[test]
            fn asks_for_what_cannot_be_had() {
                given::bounded($backend, $right);
            }
        })*
    };
}

engines! {
    rten Rten, ErrorKind::Unsupported;
    #[cfg(feature = "onnxruntime")] onnxruntime OnnxRuntime, ErrorKind::Engine;
    #[cfg(feature = "torch")] torch Torch, ErrorKind::System;
    #[cfg(feature = "tflite")] tflite TfLite, ErrorKind::Engine;
    #[cfg(feature = "litert")] litert LiteRt, ErrorKind::Engine;
}
