//! What has to hold on a thread while LibTorch runs a model there.
//!
//! LibTorch keeps three things per thread: whether gradients are tracked, how many threads of OpenMP an operator may
//! use, and whether graphs are optimised. All three are set for each run, since an engine may move between workers, and
//! runs on the caller's own thread when it renders offline.

use anira_traits::{ErrorKind, Result};

use crate::fault;

/// What a run has set; taken back when dropped.
pub(crate) struct Guard {
    _gradients: tch::NoGradGuard,
    plain: bool,
}

impl Guard {
    /// No gradients, one thread, graphs optimised or not.
    pub(crate) fn enter(optimize: bool) -> Result<Self> {
        let gradients = tch::no_grad_guard();
        // Asking also makes LibTorch take up its process-wide number on a thread that is new to it.
        if tch::get_num_threads() != 1 {
            tch::set_num_threads(1);
        }
        if !optimize {
            tch::jit::f_set_graph_executor_optimize(false)
                .map_err(|e| fault::run(&e).of_kind(ErrorKind::System))?;
        }
        Ok(Self { _gradients: gradients, plain: !optimize })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.plain {
            // On is LibTorch's own setting for every thread. It cannot fail: it writes one thread-local flag.
            let _ = tch::jit::f_set_graph_executor_optimize(true);
        }
    }
}
