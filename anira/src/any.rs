//! A backend that is chosen while the program runs: [`AnyBackend`].

use anira_traits::{
    Backend, Engine, EngineRequest, Error, ErrorKind, InternalState, LoadRequest, Model, ModelSource, Result,
    Signature, TensorView, TensorViewMut, WorkerScope,
};

/// What workers enter before they run any engine: the one that has a scope is content with what the others need.
#[cfg(feature = "rten")]
const SCOPE: Option<WorkerScope> =
    <<<anira_backend_onnx::Rten as Backend>::Model as Model>::Engine as Engine>::SCOPE;
#[cfg(not(feature = "rten"))]
const SCOPE: Option<WorkerScope> = None;

macro_rules! any {
    ($($(#[$built:meta])* $name:ident $text:literal $backend:path,)*) => {
        /// Any engine that this build carries, chosen by name while the program runs. A backend that is known when the program is
        /// compiled costs a match per call less, and is checked by the compiler.
        ///
        /// ```
        /// use anira::backends::AnyBackend;
        /// use anira::traits::Backend;
        ///
        /// let backend = AnyBackend::named("bypass")?;
        /// assert_eq!(backend.name(), "bypass");
        /// assert!(AnyBackend::named("abacus").is_err());
        /// # Ok::<(), anira::Error>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AnyBackend {
            $(
                #[doc = concat!("The engine `", $text, "`.")]
                $(#[$built])*
                $name,
            )*
        }

        /// A model that [`AnyBackend`] loaded.
        #[non_exhaustive]
        pub enum AnyModel {
            $(
                #[doc = concat!("Of the engine `", $text, "`.")]
                $(#[$built])*
                $name(<$backend as Backend>::Model),
            )*
        }

        /// An engine of an [`AnyModel`].
        #[non_exhaustive]
        pub enum AnyEngine {
            $(
                #[doc = concat!("The engine `", $text, "`.")]
                $(#[$built])*
                $name(Box<<<$backend as Backend>::Model as Model>::Engine>),
            )*
        }

        impl AnyBackend {
            /// Every engine that this build carries.
            pub const ALL: &'static [Self] = &[$($(#[$built])* Self::$name,)*];
        }

        impl Backend for AnyBackend {
            type Model = AnyModel;

            fn name(&self) -> &str {
                match self {
                    $($(#[$built])* Self::$name => $text,)*
                }
            }

            fn sharing(&self, request: &LoadRequest) -> Option<String> {
                let own = match self {
                    $($(#[$built])* Self::$name => $backend.sharing(request),)*
                };
                own.map(|text| format!("{} {text}", self.name()))
            }

            fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<AnyModel> {
                match self {
                    $($(#[$built])* Self::$name => $backend.load(source, request).map(AnyModel::$name),)*
                }
            }
        }

        impl Model for AnyModel {
            type Engine = AnyEngine;

            fn signature(&self) -> &Signature {
                match self {
                    $($(#[$built])* Self::$name(model) => model.signature(),)*
                }
            }

            fn internal_state(&self) -> InternalState {
                match self {
                    $($(#[$built])* Self::$name(model) => model.internal_state(),)*
                }
            }

            fn engine(&self, request: &EngineRequest) -> Result<AnyEngine> {
                match self {
                    $($(#[$built])* Self::$name(model) => {
                        model.engine(request).map(|engine| AnyEngine::$name(Box::new(engine)))
                    })*
                }
            }
        }

        impl Engine for AnyEngine {
            const SCOPE: Option<WorkerScope> = SCOPE;

            fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
                match self {
                    $($(#[$built])* Self::$name(engine) => engine.input(index),)*
                }
            }

            fn output(&self, index: usize) -> Option<TensorView<'_>> {
                match self {
                    $($(#[$built])* Self::$name(engine) => engine.output(index),)*
                }
            }

            fn run(&mut self) -> Result<()> {
                match self {
                    $($(#[$built])* Self::$name(engine) => engine.run(),)*
                }
            }

            fn reset(&mut self) -> Result<()> {
                match self {
                    $($(#[$built])* Self::$name(engine) => engine.reset(),)*
                }
            }
        }
    };
}

any! {
    Bypass "bypass" anira_backend_custom::Bypass,
    #[cfg(feature = "native")]
    Native "native" anira_backend_custom::native::Native,
    #[cfg(feature = "rten")]
    Rten "rten" anira_backend_onnx::Rten,
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime "onnxruntime" anira_backend_onnx::OnnxRuntime,
    #[cfg(feature = "torch")]
    Torch "torch" anira_backend_torch::Torch,
    #[cfg(feature = "tflite")]
    TfLite "tflite" anira_backend_tflite::TfLite,
    #[cfg(feature = "litert")]
    LiteRt "litert" anira_backend_tflite::LiteRt,
}

impl AnyBackend {
    /// The engine of this name, as command lines and configuration files spell it.
    ///
    /// # Errors
    /// [`ErrorKind::NotBuilt`], naming what this build carries.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|backend| backend.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|backend| backend.name()).collect();
            let text = format!("is not part of this build, which has {}", known.join(", "));
            Error::new(ErrorKind::NotBuilt, text).at(format!("engine `{name}`"))
        })
    }
}

impl std::fmt::Debug for AnyModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyModel").field("signature", self.signature()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AnyEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyEngine").finish_non_exhaustive()
    }
}
