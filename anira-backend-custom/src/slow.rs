//! Any backend, slowed down: every run lasts at least a set time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anira_traits::{
    Backend, Engine, EngineRequest, InternalState, LoadRequest, Model, ModelSource, Result, Signature,
    TensorView, TensorViewMut, WorkerScope,
};

/// How a [`Slow`] engine lets the time pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Keeps the processor busy, as a real inference does.
    Spin,
    /// Gives the processor away: for tests with more workers than cores. Lasts longer by what the system takes to wake.
    Sleep,
}

/// The least time of a run, shared by a [`Slow`] backend and everything made from it; may change at any time.
///
/// Any thread; wait-free.
#[derive(Clone, Debug)]
pub struct Delay(Arc<AtomicU64>);

impl Delay {
    /// Every run that starts from now on lasts at least this long.
    pub fn set(&self, time: Duration) {
        // Relaxed: a number on its own, nothing is published with it.
        self.0.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What is set.
    #[must_use]
    pub fn get(&self) -> Duration {
        // Relaxed: as in `set`.
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A backend whose engines are those of `B`, but take at least a set time for every run.
///
/// For tests and demonstrations of what a slow model does: late blocks, full queues, blocking reads.
#[derive(Debug)]
pub struct Slow<B> {
    inner: B,
    name: String,
    delay: Delay,
    wait: Wait,
}

impl<B: Backend> Slow<B> {
    /// Every run of `inner` lasts at least `time`; what remains after the run is passed as `wait` says.
    #[must_use]
    pub fn new(inner: B, time: Duration, wait: Wait) -> Self {
        let delay = Delay(Arc::default());
        delay.set(time);
        Self { name: format!("slow-{}", inner.name()), inner, delay, wait }
    }

    /// The handle by which the time can be changed while engines run.
    #[must_use]
    pub fn delay(&self) -> Delay {
        self.delay.clone()
    }
}

impl<B: Backend> Backend for Slow<B> {
    type Model = SlowModel<B::Model>;

    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self, source: &ModelSource, request: &LoadRequest) -> Result<Self::Model> {
        Ok(SlowModel { inner: self.inner.load(source, request)?, delay: self.delay.clone(), wait: self.wait })
    }
}

/// What [`Slow`] loads: the model of its inner backend.
#[derive(Debug)]
pub struct SlowModel<M> {
    inner: M,
    delay: Delay,
    wait: Wait,
}

impl<M: Model> Model for SlowModel<M> {
    type Engine = SlowEngine<M::Engine>;

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn internal_state(&self) -> InternalState {
        self.inner.internal_state()
    }

    fn engine(&self, request: &EngineRequest) -> Result<Self::Engine> {
        Ok(SlowEngine { inner: self.inner.engine(request)?, delay: self.delay.clone(), wait: self.wait })
    }
}

/// An engine that takes its time.
#[derive(Debug)]
pub struct SlowEngine<E> {
    inner: E,
    delay: Delay,
    wait: Wait,
}

impl<E: Engine> Engine for SlowEngine<E> {
    const SCOPE: Option<WorkerScope> = E::SCOPE;

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        self.inner.input(index)
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        self.inner.output(index)
    }

    fn run(&mut self) -> Result<()> {
        let (start, least) = (Instant::now(), self.delay.get());
        let result = self.inner.run();
        match self.wait {
            Wait::Sleep => std::thread::sleep(least.saturating_sub(start.elapsed())),
            Wait::Spin => {
                while start.elapsed() < least {
                    std::hint::spin_loop();
                }
            }
        }
        result
    }

    fn reset(&mut self) -> Result<()> {
        self.inner.reset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bypass;

    #[test]
    fn runs_last_at_least_the_set_time_which_may_change() {
        for wait in [Wait::Spin, Wait::Sleep] {
            let backend = Slow::new(Bypass, Duration::from_millis(20), wait);
            assert_eq!(backend.name(), "slow-bypass");
            let model = backend.load(&ModelSource::None, &LoadRequest::new()).unwrap();
            let request = EngineRequest::new(vec![vec![1, 1, 512]], vec![Some(vec![1, 1, 512])]);
            let mut engine = model.engine(&request).unwrap();
            engine.input(0).unwrap().f32_mut().unwrap().fill(3.0);
            let mut time = || {
                let start = Instant::now();
                engine.run().unwrap();
                assert_eq!(engine.output(0).unwrap().f32().unwrap(), [3.0; 512]);
                start.elapsed()
            };
            assert!(time() >= Duration::from_millis(20), "{wait:?}");
            backend.delay().set(Duration::ZERO);
            let fast = (0..20).map(|_| time()).min().unwrap();
            assert!(fast < Duration::from_millis(20), "{wait:?}: {fast:?}");
        }
    }
}
