//! The toy's engine.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use anira_traits::*;

use super::{Fault, Shared, lock};

pub(crate) struct ToyEngine<const SCOPE: usize> {
    shared: Weak<Shared>,
    /// Keeps what is shared alive, but where a fault is that it does not.
    _kept: Option<Arc<Shared>>,
    fault: Fault,
    x: Vec<f32>,
    gain: [f32; 1],
    y: Vec<f32>,
    peak: [f32; 1],
    behind: (Vec<f32>, [f32; 1]),
    memory: f32,
    runs: usize,
    thread: ThreadId,
}

impl<const SCOPE: usize> ToyEngine<SCOPE> {
    pub(super) fn new(shared: &Arc<Shared>, n: usize) -> Self {
        let zeros = vec![0.0; n];
        Self {
            shared: Arc::downgrade(shared),
            _kept: (shared.fault != Fault::ModelNeeded).then(|| Arc::clone(shared)),
            fault: shared.fault,
            x: zeros.clone(),
            gain: [0.0],
            y: zeros.clone(),
            peak: [0.0],
            behind: (zeros, [0.0]),
            memory: 0.0,
            runs: 0,
            thread: thread::current().id(),
        }
    }

    fn compute(&mut self, shared: &Shared) {
        let [a, b] = if self.fault == Fault::LastModelWins { *lock(&shared.last) } else { shared.weights };
        if self.fault == Fault::SharedMemory {
            self.memory = *lock(&shared.memory);
        }
        if self.fault == Fault::StatesShared {
            self.gain = self.peak;
        }
        let (n, mut peak) = (self.x.len(), 0.0f32);
        for (i, (y, x)) in self.y.iter_mut().zip(&self.x).enumerate() {
            let own = self.fault == Fault::StateNotTaken && self.runs > 0;
            let mut value = (a * x + b * x * x) * if own { self.peak[0] } else { self.gain[0] };
            if shared.remembers {
                self.memory += 0.1 * (x - self.memory);
                value += self.memory;
            }
            peak = peak.max(value.abs());
            let skipped = match self.fault {
                Fault::HalfWritten => i >= n / 2,
                Fault::WrittenOnce => i == n / 2 && self.runs > 0,
                _ => false,
            };
            if !skipped {
                *y = value;
            }
        }
        self.peak[0] = peak;
        if self.fault == Fault::SharedMemory {
            *lock(&shared.memory) = self.memory;
        }
    }

    fn spoil(&mut self, shared: &Shared) {
        let last = self.y.len() - 1;
        match self.fault {
            Fault::SlightlyOff => self.y[last] += 1e-3,
            Fault::InputOverwritten => self.x[last] = 0.0,
            Fault::Dice => self.y[last] += shared.dice.fetch_add(1, Ordering::SeqCst) as f32,
            Fault::OneRunBehind => {
                std::mem::swap(&mut self.y, &mut self.behind.0);
                std::mem::swap(&mut self.peak, &mut self.behind.1);
            }
            Fault::WarmthStays if self.runs >= 5 => self.y[0] += 1e-6 + self.y[0].abs(),
            Fault::BoundToThread if thread::current().id() != self.thread => self.y.fill(0.0),
            Fault::Allocates => drop(std::hint::black_box(vec![0u8; 64])),
            Fault::SharedOutput => self.y.clone_into(&mut lock(&shared.output)),
            _ => {}
        }
    }
}

impl<const SCOPE: usize> Engine for ToyEngine<SCOPE> {
    const SCOPE: Option<WorkerScope> = scopes::of(SCOPE);

    fn input(&mut self, index: usize) -> Option<TensorViewMut<'_>> {
        match index {
            0 => Some(TensorViewMut::F32(&mut self.x)),
            1 if self.fault == Fault::StatesShared => Some(TensorViewMut::F32(&mut self.peak)),
            1 => {
                if self.fault == Fault::Narrowed {
                    self.gain[0] = self.gain[0].clamp(-1e6, 1e6);
                }
                Some(TensorViewMut::F32(&mut self.gain))
            }
            _ => None,
        }
    }

    fn output(&self, index: usize) -> Option<TensorView<'_>> {
        match index {
            0 if self.fault == Fault::SharedOutput && self.runs > 0 => {
                let shared = self.shared.upgrade()?;
                let copy = lock(&shared.output).clone();
                Some(TensorView::F32(copy.leak()))
            }
            0 => Some(TensorView::F32(&self.y)),
            1 => Some(TensorView::F32(&self.peak)),
            _ => None,
        }
    }

    fn run(&mut self) -> Result<()> {
        let Some(shared) = self.shared.upgrade() else {
            return Err(Error::new(ErrorKind::Engine, "the model is gone"));
        };
        if self.gain[0] > 1e6 {
            if self.fault == Fault::FailureStays {
                self.memory = 1.0;
                self.runs = usize::MAX / 2;
            }
            return Err(Error::new(ErrorKind::Engine, "the gain is beyond a million"));
        }
        let others = shared.running.fetch_add(1, Ordering::SeqCst);
        self.compute(&shared);
        self.spoil(&shared);
        if self.fault == Fault::NotAtOnce {
            thread::sleep(Duration::from_micros(300));
            if others > 0 {
                self.y.fill(0.0);
            }
        }
        if self.fault == Fault::FailureStays && self.runs >= usize::MAX / 2 {
            self.y[0] += 1.0;
        }
        shared.running.fetch_sub(1, Ordering::SeqCst);
        self.runs += 1;
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        if self.fault != Fault::ResetForgotten {
            self.memory = 0.0;
        }
        Ok(())
    }
}

/// Scopes, right and wrong.
pub(crate) mod scopes {
    use anira_traits::WorkerScope;

    pub(crate) const NONE: usize = 0;
    pub(crate) const RIGHT: usize = 1;
    pub(crate) const TWICE: usize = 2;
    pub(crate) const NEVER: usize = 3;

    pub(super) const fn of(number: usize) -> Option<WorkerScope> {
        match number {
            RIGHT => Some(right),
            TWICE => Some(twice),
            NEVER => Some(|_| {}),
            _ => None,
        }
    }

    /// On another thread, as a pool would.
    fn right(body: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|threads| {
            threads.spawn(body);
        });
    }

    fn twice(body: &mut (dyn FnMut() + Send)) {
        body();
        body();
    }
}
