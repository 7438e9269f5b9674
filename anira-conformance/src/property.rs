//! The properties that are checked, one name for each.

use std::fmt;

use serde::{Serialize, Serializer};

/// Hands the list of all properties to the macro `$with`, behind `[$args]`. The only place where they are listed.
#[doc(hidden)]
#[macro_export]
macro_rules! __properties {
    ($with:path, [$($args:tt)*]) => {
        $with! { [$($args)*]
            name Name "the backend has a name that a command line can spell, always the same";
            loads Loads "the specimen loads";
            unknown_option UnknownOption "an option that nobody reads is refused by its name";
            missing_file MissingFile "a missing file is `NotFound` and named";
            missing_source MissingSource "no source at all is an error of the configuration";
            file_and_memory FileAndMemory "a file and the same bytes from memory are the same model";
            malformed_empty MalformedEmpty "an empty file is an error";
            malformed_cut MalformedCut "cut files are errors or work, and never a panic";
            malformed_flipped MalformedFlipped "files with flipped bytes are errors or work, and never a panic";
            malformed_random MalformedRandom "random bytes, with the right header or without, are no model";
            malformed_foreign MalformedForeign "files of other formats are errors";
            malformed_own MalformedOwn "the malformed files that the author gave are errors";
            malformed_named MalformedNamed "the error about a malformed file names the file";
            signature Signature "tensors have names of their own, and every load tells the same signature";
            tensors Tensors "an engine has the tensors of the signature, in the requested shapes";
            types Types "inputs hold every value of their type as it was written";
            layouts Layouts "the tensors of configured streams have their axes, channels and room";
            wrong_requests WrongRequests "requests of a wrong count, rank, extent or size are refused as `Shape`";
            ignored_outputs IgnoredOutputs "an output that the caller ignores changes nothing about the others";
            open_axes OpenAxes "engines of several shapes live side by side";
            reference Reference "answers agree with those that the author gave";
            inputs_kept InputsKept "inputs keep their contents over a run";
            outputs_written OutputsWritten "every element of every output is written by every run";
            deterministic Deterministic "the same inputs give the same answers, bit for bit";
            not_stale NotStale "an answer belongs to the inputs of its own run, not to one of those before";
            order_of_runs OrderOfRuns "what is said to remember nothing does not depend on the order of runs";
            reset Reset "a reset brings the first answers back, bit for bit";
            warm_up WarmUp "runs for warming up leave no trace behind a reset";
            states States "states that go round as tensors are all that a model remembers, and at rest it begins anew";
            after_failure AfterFailure "after a failed run and a reset the answers are the first ones";
            engines_apart EnginesApart "two engines of one model share no tensor and no state";
            parallel_engines ParallelEngines "engines that run at once answer as each alone";
            hand_over HandOver "an engine that moves to another thread for every run answers the same";
            two_models TwoModels "two models that run in turn answer as each alone";
            scope Scope "the worker's scope calls its body once, waits for it, and changes no answer";
            model_dropped ModelDropped "engines outlive the model that made them";
            allocations Allocations "how much a run allocates, within the author's bound if there is one";
            no_leak NoLeak "50 loads leave no more memory in use than 10";
            timing Timing "what the first, the second and the median run take";
        }
    };
}

macro_rules! properties {
    ([] $($name:ident $variant:ident $text:literal;)*) => {
        /// One thing that a backend has to keep. Its name is that of the test that [`conformance_tests!`](crate::conformance_tests)
        /// makes of it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Property {
            $(#[doc = concat!("`", stringify!($name), "`: ", $text, ".")] $variant,)*
        }

        impl Property {
            /// All of them, in the order of a backend's life.
            pub const ALL: &[Property] = &[$(Property::$variant,)*];

            /// The name, as in reports and of tests.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Property::$variant => stringify!($name),)* }
            }

            /// What holds if the check passes.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Property::$variant => $text,)* }
            }
        }
    };
}

__properties!(properties, []);

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Property {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Makes a module of tests, one for each [`Property`], so that a failure has its name.
///
/// `conformance_tests!(module, backend, specimens)`: a name for the module; an expression for the
/// [`Backend`](anira_traits::Backend); one for what derefs to a slice of [`Specimen`](crate::Specimen)s. Both
/// expressions are evaluated in every test.
///
/// A test passes if the property holds for every specimen for which it can be checked. Where it cannot, the test prints
/// why (`cargo test -- --nocapture` shows it). Tests of one process run one after the other, whatever libtest does,
/// so that they do not count one another's allocations.
#[macro_export]
macro_rules! conformance_tests {
    ($module:ident, $backend:expr, $specimens:expr $(,)?) => {
        mod $module {
            #[allow(unused_imports, reason = "the expressions may need nothing from outside")]
            use super::*;
            $crate::__properties!($crate::__tests, [$backend, $specimens]);
        }
    };
}

/// The tests of [`conformance_tests!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$backend:expr, $specimens:expr] $($name:ident $variant:ident $text:literal;)*) => {
        $(#[test] fn $name() {
            let report = $crate::check_property(&$backend, &$specimens, $crate::Property::$variant);
            println!("{report}");
            assert!(report.passed(), "{report}");
        })*
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_variants() {
        for property in Property::ALL {
            let camel = format!("{property:?}").to_lowercase();
            assert_eq!(
                camel,
                property.name().replace('_', ""),
                "the test would bear another property's name"
            );
            assert!(!property.text().is_empty());
        }
    }
}
