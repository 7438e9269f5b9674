//! Two backends as one, for sessions that have engines of both: [`Either`].

use anira_traits::{
    Backend, Engine, EngineRequest, InternalState, LoadRequest, Model, ModelSource, RealtimeSafe, Result,
    Signature, TensorView, TensorViewMut, WorkerScope,
};

/// One backend or another, so that a session can switch between engines of two types: which of them a model is loaded by is said
/// for every model. A third type is an `Either` in an `Either`. It costs a match per call; the compiler knows both sides.
///
/// ```
/// use anira_backend_custom::{Bypass, Either, Slow, Wait};
/// use anira_traits::Backend;
/// use std::time::Duration;
///
/// let slow: Either<Bypass, Slow<Bypass>> = Either::Right(Slow::new(Bypass, Duration::ZERO, Wait::Spin));
/// assert_eq!(slow.name(), "slow-bypass");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Either<L, R> {
    /// The one.
    Left(L),
    /// The other.
    Right(R),
}

/// A model that [`Either`] loaded.
#[derive(Clone, Copy, Debug)]
pub enum EitherModel<L, R> {
    /// By the one.
    Left(L),
    /// By the other.
    Right(R),
}

/// An engine of an [`EitherModel`].
#[derive(Clone, Copy, Debug)]
pub enum EitherEngine<L, R> {
    /// Of the one.
    Left(L),
    /// Of the other.
    Right(R),
}

/// The same on whichever side there is.
macro_rules! each {
    ($kind:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $kind::Left($inner) => $body,
            $kind::Right($inner) => $body,
        }
    };
}

impl<L: Backend, R: Backend> Backend for Either<L, R> {
    type Model = EitherModel<L::Model, R::Model>;

    fn name(&self) -> &str {
        each!(Self, self, backend => backend.name())
    }

    fn sharing(&self, request: &LoadRequest) -> Option<String> {
        // The two may have the same bytes and say the same of themselves.
        match self {
            Self::Left(backend) => backend.sharing(request).map(|text| format!("left {text}")),
            Self::Right(backend) => backend.sharing(request).map(|text| format!("right {text}")),
        }
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        match self {
            Self::Left(backend) => backend.load(source, request).map(EitherModel::Left),
            Self::Right(backend) => backend.load(source, request).map(EitherModel::Right),
        }
    }
}

impl<L: Model, R: Model> Model for EitherModel<L, R> {
    type Engine = EitherEngine<L::Engine, R::Engine>;

    fn signature(&self) -> &Signature {
        each!(Self, self, model => model.signature())
    }

    fn internal_state(&self) -> InternalState {
        each!(Self, self, model => model.internal_state())
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine> {
        match self {
            Self::Left(model) => model.engine(request).map(EitherEngine::Left),
            Self::Right(model) => model.engine(request).map(EitherEngine::Right),
        }
    }
}

impl<L: Engine, R: Engine> Engine for EitherEngine<L, R> {
    const SCOPE: Option<WorkerScope> = match (L::SCOPE, R::SCOPE) {
        (None, None) => None,
        (Some(scope), None) | (None, Some(scope)) => Some(scope),
        (Some(_), Some(_)) => Some(both::<L, R>),
    };

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        each!(Self, self, engine => engine.input(index))
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        each!(Self, self, engine => engine.output(index))
    }

    fn run(&mut self) -> Result<()> {
        each!(Self, self, engine => engine.run())
    }

    fn reset(&mut self) -> Result<()> {
        each!(Self, self, engine => engine.reset())
    }
}

/// The scope of the one, inside that of the other.
fn both<L: Engine, R: Engine>(body: &mut (dyn FnMut() + Send)) {
    match (L::SCOPE, R::SCOPE) {
        (Some(outer), Some(inner)) => outer(&mut || inner(&mut *body)),
        (Some(scope), None) | (None, Some(scope)) => scope(body),
        (None, None) => body(),
    }
}

#[allow(unsafe_code, reason = "the marker is unsafe to give; no unsafe code follows from it")]
// SAFETY: every call goes to the one engine inside, which bears the marker itself; a match adds nothing to what that does.
unsafe impl<L: RealtimeSafe, R: RealtimeSafe> RealtimeSafe for EitherEngine<L, R> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bypass, Slow, Wait};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static ENTERED: AtomicU64 = AtomicU64::new(0);

    struct Scoped<const DIGIT: u64>;

    impl<const DIGIT: u64> Engine for Scoped<DIGIT> {
        const SCOPE: Option<WorkerScope> = Some(|body| {
            ENTERED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(10 * n + DIGIT)).unwrap();
            body();
        });
        fn input(&mut self, _: usize) -> Option<TensorViewMut<'_>> {
            None
        }
        fn output(&self, _: usize) -> Option<TensorView<'_>> {
            None
        }
        fn run(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_worker_enters_the_scopes_of_both() {
        let scope = <EitherEngine<Scoped<1>, EitherEngine<Scoped<2>, Scoped<3>>>>::SCOPE.unwrap();
        let mut ran = 0;
        scope(&mut || ran += 1);
        assert_eq!((ran, ENTERED.load(Ordering::Relaxed)), (1, 123));
        type Plain = <<Either<Bypass, Slow<Bypass>> as Backend>::Model as Model>::Engine;
        assert!(Plain::SCOPE.is_none());
    }

    #[test]
    fn models_of_the_two_are_told_apart() {
        let request = LoadRequest::new();
        let slow = || Slow::new(Bypass, Duration::ZERO, Wait::Spin);
        let sides: [Either<Bypass, Slow<Bypass>>; 2] = [Either::Left(Bypass), Either::Right(slow())];
        assert_ne!(sides[0].name(), sides[1].name());
        for side in sides {
            let own = each!(Either, &side, backend => backend.sharing(&request));
            assert_eq!(side.sharing(&request).is_some(), own.is_some());
            assert!(side.sharing(&request).is_none_or(|text| own.is_some_and(|own| own != text)));
        }
    }
}
