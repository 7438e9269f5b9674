//! Where rten runs: on the worker itself, never on a pool that others share.
//!
//! rten runs a model inside a thread pool of rayon's, and a call from outside the pool hands the work over and waits.
//! So a worker enters [`scope`], which makes a pool of one thread, moves the worker's whole life onto that thread, and
//! lends the pool to the engines that run there: from inside, rten finds itself at home and runs on the spot. Outside
//! of a scope (offline rendering, a trial run on a control thread) each calling thread gets a pool of one thread of its
//! own, made when first needed, and waits for it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anira_traits::{Error, ErrorKind, Result};
use rten::ThreadPool;

/// How long a scope waits for its thread to be gone, after the work has ended.
const THREAD_END: Duration = Duration::from_secs(1);

/// A pool for runs that start on one thread.
struct Own {
    pool: Arc<ThreadPool>,
    /// The process that made it, where this thread did: a fork has the pool without its thread. One that was lent to a worker goes
    /// with it.
    made_in: Option<u32>,
}

thread_local! {
    /// The pool for runs that start on this thread.
    static POOL: RefCell<Option<Own>> = const { RefCell::new(None) };
    /// Held by a scope's thread until its thread-locals are dropped, with the thread.
    static LIFE: RefCell<Option<SyncSender<()>>> = const { RefCell::new(None) };
}

/// Runs `body`, a worker's life, on a thread where rten runs models on the spot. Worker; returns when `body` has
/// returned and the thread has ended. If the system gives no thread, `body` runs on this one.
///
/// The thread inherits what its creator hands down: on Linux the scheduling policy, priority, affinity and
/// floating-point modes; elsewhere `body` has to set them.
pub(crate) fn scope(body: &mut (dyn FnMut() + Send)) {
    let pool = Arc::new(ThreadPool::with_num_threads(1));
    let lent = Arc::clone(&pool);
    let outside = thread::current().id();
    let (life, end) = sync_channel(0);
    pool.run(move || {
        if thread::current().id() == outside {
            return body();
        }
        LIFE.set(Some(life));
        let _loan = Loan::new(lent);
        body();
    });
    // The loan is back, so this is the last owner: its drop tells the thread to end.
    drop(pool);
    // Nothing is ever sent; the wait ends when the thread drops its sender, or when its time is up.
    let _ = end.recv_timeout(THREAD_END);
}

/// A pool in this thread's [`POOL`]; taken back when dropped, in a panic too.
struct Loan {
    before: Option<Own>,
}

impl Loan {
    fn new(pool: Arc<ThreadPool>) -> Self {
        Self { before: POOL.replace(Some(Own { pool, made_in: None })) }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        POOL.set(self.before.take());
    }
}

/// The pool for a run on this thread: the scope's, or else one of this thread's own, made now if there is none.
///
/// # Errors
/// [`ErrorKind::System`] if the system gives no thread.
pub(crate) fn pool() -> Result<Arc<ThreadPool>> {
    POOL.with_borrow_mut(|slot| {
        if let Some(own) = slot {
            if own.made_in.is_none_or(|process| process == std::process::id()) {
                return Ok(Arc::clone(&own.pool));
            }
            // Its end would tell a thread that is not here.
            std::mem::forget(slot.take());
        }
        let pool = Arc::new(ThreadPool::with_num_threads(1));
        let outside = thread::current().id();
        if pool.run(move || thread::current().id() == outside) {
            let text =
                "no thread for rten; it needs one for each thread that runs engines outside of a worker";
            return Err(Error::new(ErrorKind::System, text));
        }
        let own = slot.insert(Own { pool, made_in: Some(std::process::id()) });
        Ok(Arc::clone(&own.pool))
    })
}

/// Makes rten start its global pool now: one thread per core, which then sleep for good.
///
/// anira never runs a model on it (only rten itself folds constants there, while it loads). But rten 0.27 starts it at
/// the latest when a model first runs, whatever pool that run is given, and threads must not be made on a worker.
///
/// Whether its threads are there: those that another process started, of which this one is a fork, stayed behind.
pub(crate) fn start_global_pool() -> bool {
    static STARTED_IN: AtomicU32 = AtomicU32::new(0);
    let here = std::process::id();
    // Relaxed: a number on its own; the pool's own cell hands the pool over.
    let before = STARTED_IN.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
    rten::thread_pool();
    before.map_or_else(|process| process == here, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn here() -> thread::ThreadId {
        thread::current().id()
    }

    #[test]
    fn inside_a_scope_work_runs_on_the_spot() {
        let mut ran = None;
        scope(&mut || {
            let pool = pool().unwrap();
            ran = Some((here(), pool.run(here)));
        });
        let (body, inner) = ran.unwrap();
        assert_eq!(body, inner);
        assert_ne!(body, here());
    }

    #[test]
    fn outside_a_scope_a_thread_keeps_one_pool() {
        thread::spawn(|| {
            let (a, b) = (pool().unwrap().run(here), pool().unwrap().run(here));
            assert_eq!(a, b);
            assert_ne!(a, here());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_panic_in_a_scope_comes_out_and_the_next_scope_works() {
        assert!(catch_unwind(AssertUnwindSafe(|| scope(&mut || panic!("on purpose")))).is_err());
        let mut ran = false;
        scope(&mut || ran = true);
        assert!(ran);
    }

    #[test]
    fn a_scope_waits_for_its_thread_to_drop_what_it_holds() {
        struct Held(Arc<std::sync::atomic::AtomicBool>);
        impl Drop for Held {
            fn drop(&mut self) {
                thread::sleep(Duration::from_millis(100));
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        thread_local!(static HELD: RefCell<Option<Held>> = const { RefCell::new(None) });
        let dropped = Arc::default();
        scope(&mut || HELD.set(Some(Held(Arc::clone(&dropped)))));
        assert!(dropped.load(std::sync::atomic::Ordering::SeqCst));
    }

    #[test]
    fn scopes_nest() {
        let mut ran = None;
        scope(&mut || {
            let outer = pool().unwrap();
            scope(&mut || ran = Some((here(), pool().unwrap().run(here))));
            assert_eq!(outer.run(here), here());
        });
        let (inner, run) = ran.unwrap();
        assert_eq!(inner, run);
    }
}
