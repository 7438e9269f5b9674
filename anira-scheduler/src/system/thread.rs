//! Threads that leave nothing behind on the thread that made them.
//!
//! A thread of the standard library leaves a destructor among the thread-locals of the thread that started it. Where that is a
//! host's, it outlives the plugin, and the loader keeps the plugin mapped for it (`tests/tests/unload` shows it). So on Unix
//! threads are started by the system's own call.
//!
//! Each thread holds a thread-local with a destructor itself: the GNU loader then keeps the module mapped while the thread lives,
//! if a host unloads it too early, and no longer.

#![allow(unsafe_code, reason = "the system's threads speak C")]

use std::io;

use super::Origin;
use crate::sync::{AtomicBool, DynArc, Ordering, Seat};

/// What a thread and its owner share.
#[derive(Debug, Default)]
struct Life {
    begun: AtomicBool,
    over: AtomicBool,
    seat: Seat,
}

/// A thread's owner. Dropped without [`join`](Self::join), the thread goes on.
#[derive(Debug)]
pub(crate) struct Thread {
    life: DynArc<Life>,
    origin: Origin,
    handle: Option<system::Handle>,
}

/// Keeps the module in memory while its thread lives.
struct Anchor;

impl Drop for Anchor {
    fn drop(&mut self) {
        // Not optimised away: that there is a destructor is what matters.
        std::hint::black_box(&self);
    }
}

thread_local!(static ANCHOR: Anchor = const { Anchor });

impl Thread {
    /// Starts a thread, and waits until it is there. Control thread.
    ///
    /// # Errors
    /// The system's, if it gives none.
    pub(crate) fn start(
        name: String,
        stack_size: usize,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let life = DynArc::<Life>::default();
        let theirs = life.clone();
        let begin = move || {
            ANCHOR.with(|_| ());
            system::name_this_thread(&name);
            theirs.begun.store(true, Ordering::Release);
            theirs.seat.wake();
            // A panic past all walls ends here, and with it the thread, not the process.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // Release pairs with the acquire in `is_finished`.
            theirs.over.store(true, Ordering::Release);
        };
        let handle = system::start(stack_size, Box::new(begin))?;
        while !life.begun.load(Ordering::Acquire) {
            life.seat.wait(None);
        }
        Ok(Self { life, origin: Origin::here(), handle: Some(handle) })
    }

    /// Whether its body is over: [`join`](Self::join) then waits for nobody's code but the system's. In a fork, where the thread is
    /// not, it is over.
    pub(crate) fn is_finished(&self) -> bool {
        self.life.over.load(Ordering::Acquire) || !self.origin.is_here()
    }

    /// Waits for its end. Nothing of it, its thread-locals included, is there any more.
    pub(crate) fn join(mut self) {
        if let Some(handle) = self.handle.take()
            && self.origin.is_here()
        {
            handle.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take()
            && self.origin.is_here()
        {
            handle.detach();
        }
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::c_void;
    use std::io;

    type Body = Box<dyn FnOnce() + Send>;

    #[derive(Debug)]
    pub(super) struct Handle(libc::pthread_t);

    // SAFETY: a thread's id is a name that any thread of the process may use; it is used once, by who owns the handle.
    unsafe impl Send for Handle {}
    // SAFETY: as above; nothing is done through a shared reference.
    unsafe impl Sync for Handle {}

    pub(super) fn start(stack_size: usize, body: Body) -> io::Result<Handle> {
        // A stack's end must lie on a page; 64 KiB are a whole number of pages of any system.
        let stack_size = stack_size.next_multiple_of(64 << 10);
        let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        // SAFETY: the call fills the attributes, which live until the end of this function.
        check(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
        let body = Box::into_raw(Box::new(body));
        let mut id = std::mem::MaybeUninit::<libc::pthread_t>::uninit();
        // SAFETY: the attributes were made above. `run` takes back the box, once, if the thread was started; else it is taken
        // back below.
        let outcome = unsafe {
            let outcome = check(libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_size));
            outcome.and_then(|()| {
                check(libc::pthread_create(id.as_mut_ptr(), attributes.as_ptr(), run, body.cast()))
            })
        };
        // SAFETY: made above, used no more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        match outcome {
            // SAFETY: a call that succeeded has written the id.
            Ok(()) => Ok(Handle(unsafe { id.assume_init() })),
            Err(error) => {
                // SAFETY: no thread was started, so this is still the only owner.
                drop(unsafe { Box::from_raw(body) });
                Err(error)
            }
        }
    }

    extern "C" fn run(body: *mut c_void) -> *mut c_void {
        // SAFETY: `start` made this pointer of a box of this type and gave it to this thread alone.
        let body = unsafe { Box::from_raw(body.cast::<Body>()) };
        body();
        std::ptr::null_mut()
    }

    fn check(code: libc::c_int) -> io::Result<()> {
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
    }

    impl Handle {
        pub(super) fn join(self) {
            // SAFETY: the thread was started by `start`, and is joined or detached once, for this takes the handle.
            unsafe { libc::pthread_join(self.0, std::ptr::null_mut()) };
        }

        pub(super) fn detach(self) {
            // SAFETY: as for `join`.
            unsafe { libc::pthread_detach(self.0) };
        }
    }

    /// As far as the system has room for it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn name_this_thread(name: &str) {
        if let Ok(name) = std::ffi::CString::new(name) {
            let _ = rustix::thread::set_name(&name);
        }
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn name_this_thread(name: &str) {
        if let Ok(name) = std::ffi::CString::new(name) {
            // SAFETY: a string that ends in a NUL and outlives the call, which copies it.
            unsafe { libc::pthread_setname_np(name.as_ptr()) };
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    pub(super) fn name_this_thread(_name: &str) {}
}

#[cfg(not(unix))]
mod system {
    use std::io;

    use crate::sync::thread;

    #[derive(Debug)]
    pub(super) struct Handle(thread::JoinHandle<()>);

    pub(super) fn start(stack_size: usize, body: Box<dyn FnOnce() + Send>) -> io::Result<Handle> {
        thread::Builder::new().stack_size(stack_size).spawn(body).map(Handle)
    }

    impl Handle {
        pub(super) fn join(self) {
            let _ = self.0.join();
        }

        /// A handle that is dropped is detached.
        pub(super) fn detach(self) {}
    }

    pub(super) fn name_this_thread(_name: &str) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test's failure")]

    use super::*;
    use std::sync::mpsc;

    const STACK: usize = 100_000;

    #[test]
    fn a_thread_that_was_joined_has_done_everything() {
        let (sender, receiver) = mpsc::channel();
        struct Last(mpsc::Sender<&'static str>);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0.send("dropped").unwrap();
            }
        }
        let last = Last(sender.clone());
        let body = move || {
            let _last = last;
            sender.send("ran").unwrap();
        };
        let thread = Thread::start("a-name".to_owned(), STACK, body).unwrap();
        thread.join();
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["ran", "dropped"]);
    }

    #[test]
    fn it_is_finished_when_its_body_is_over_and_not_before() {
        let (go, wait) = mpsc::channel::<()>();
        let thread = Thread::start("waits".to_owned(), STACK, move || wait.recv().unwrap()).unwrap();
        assert!(!thread.is_finished());
        go.send(()).unwrap();
        while !thread.is_finished() {
            std::thread::yield_now();
        }
        thread.join();
    }

    #[test]
    fn a_panic_ends_the_thread_alone() {
        let thread = Thread::start("panics".to_owned(), STACK, || panic!("on purpose")).unwrap();
        thread.join();
    }

    #[test]
    fn a_stack_that_no_system_gives_is_an_error() {
        assert!(Thread::start("huge".to_owned(), usize::MAX >> 4, || ()).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_has_its_name_when_the_start_returns() {
        let (go, wait) = mpsc::channel::<()>();
        let thread = Thread::start("a-name-that-is-too-long".to_owned(), STACK, move || wait.recv().unwrap());
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        let names: Vec<String> = tasks.filter_map(name).collect();
        assert!(names.iter().any(|name| name.trim() == "a-name-that-is-"), "{names:?}");
        go.send(()).unwrap();
        thread.unwrap().join();
    }
}
