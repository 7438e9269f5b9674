//! [`Inline`] and [`Offline`]: the caller runs the slots itself.

use std::time::Duration;

use anira_traits::{
    Attachment, Engine, Forecast, Ran, RealtimeSafe, Result, Scheduler, Submit, Terms, Timing, Work,
};

use crate::sync::DynArc as Arc;
use anira_realtime::FlushToZero;

/// Runs every slot inside the callback that submits it: no thread, and no latency for inference.
///
/// Only engines that promise to be real-time safe compile with it:
///
/// ```compile_fail,E0277
/// # use anira_traits::*;
/// # struct Slow;
/// # impl Engine for Slow {
/// #     fn input(&mut self, _: usize) -> Option<TensorViewMut<'_>> { None }
/// #     fn output(&self, _: usize) -> Option<TensorView<'_>> { None }
/// #     fn run(&mut self) -> Result<()> { Ok(()) }
/// # }
/// fn takes<E: Engine>(scheduler: impl Scheduler<E>) {}
/// takes::<Slow>(anira_scheduler::Inline);
/// ```
/// ```
/// # use anira_traits::*;
/// # struct Fast;
/// # impl Engine for Fast {
/// #     fn input(&mut self, _: usize) -> Option<TensorViewMut<'_>> { None }
/// #     fn output(&self, _: usize) -> Option<TensorView<'_>> { None }
/// #     fn run(&mut self) -> Result<()> { Ok(()) }
/// # }
/// # unsafe impl RealtimeSafe for Fast {}
/// fn takes<E: Engine>(scheduler: impl Scheduler<E>) {}
/// takes::<Fast>(anira_scheduler::Inline);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

/// Runs every slot inside the call that submits it, with any engine: for rendering, never for an audio callback. A
/// session that is prepared for real time refuses it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

/// The audio thread's end of an attachment to [`Inline`] or [`Offline`].
#[derive(Debug)]
pub struct InlineSubmit<W> {
    work: Arc<W>,
}

/// The owner's end of an attachment to [`Inline`] or [`Offline`]: nothing to end, the caller is the only worker.
#[derive(Clone, Copy, Debug)]
pub struct InlineAttachment;

impl<E: RealtimeSafe> Scheduler<E> for Inline {
    type Submit<W: Work<Engine = E>> = InlineSubmit<W>;
    type Attachment<W: Work<Engine = E>> = InlineAttachment;

    fn timing(&self) -> Timing {
        Timing::InCallback
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: Arc<W>,
        _terms: Terms,
    ) -> Result<(InlineSubmit<W>, InlineAttachment)> {
        Ok((InlineSubmit { work }, InlineAttachment))
    }
}

impl<E: Engine> Scheduler<E> for Offline {
    type Submit<W: Work<Engine = E>> = InlineSubmit<W>;
    type Attachment<W: Work<Engine = E>> = InlineAttachment;

    const REALTIME: bool = false;

    fn timing(&self) -> Timing {
        Timing::InCallback
    }

    fn attach<W: Work<Engine = E>>(
        &self,
        work: Arc<W>,
        _terms: Terms,
    ) -> Result<(InlineSubmit<W>, InlineAttachment)> {
        Ok((InlineSubmit { work }, InlineAttachment))
    }
}

impl<W: Work> Submit for InlineSubmit<W> {
    /// Runs all that was submitted: this thread alone submits, so it ends.
    fn submitted(&mut self, _forecast: Forecast) {
        // The callback's thread is not ours: its control register is put back as it was.
        let _denormals = FlushToZero::new();
        while self.work.run_one(&mut || ()) != Ran::Nothing {}
    }

    fn assist(&mut self) -> bool {
        false
    }
}

impl Attachment for InlineAttachment {
    fn detach(&mut self, _timeout: Duration) -> Result<()> {
        Ok(())
    }
}
