//! Sees every system call of one thread: the kernel stops each at a filter and asks, another thread notes it and lets it go on.
//!
//! This is seccomp's user notification: no tool is needed, no privilege, and nothing is missed, however the call is made.

#![allow(unsafe_code, reason = "the kernel's seccomp and rusage have no safe interface")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A system call as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its number.
    pub number: i64,
    /// What it was given.
    pub arguments: [u64; 6],
}

impl Call {
    /// Whether it is the one that a submission may make: "wake one thread of this process that sleeps on this word".
    pub(super) fn is_wake_up(&self) -> bool {
        let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64;
        self.number == libc::SYS_futex && self.arguments[1] as u32 as u64 == wake && self.arguments[2] == 1
    }
}

/// The system calls of the thread that made it.
#[derive(Debug)]
pub(super) struct Trace {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Where the kernel asks; -1 before there is one, [`REFUSED`] if there will be none.
    listener: AtomicI32,
    /// Whether calls are noted.
    counts: AtomicBool,
    calls: Mutex<Vec<Call>>,
}

const REFUSED: i32 = -2;

impl Trace {
    /// Traces the calling thread from now on, until it ends. What it starts is traced, too, so it must start nothing.
    pub(super) fn of_this_thread() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            listener: AtomicI32::new(-1),
            counts: AtomicBool::new(false),
            calls: Mutex::new(Vec::with_capacity(1 << 16)),
        });
        // Before the filter: a thread inherits it.
        let answering = shared.clone();
        std::thread::spawn(move || answer(&answering));
        match install() {
            Ok(listener) => {
                shared.listener.store(listener, Ordering::Release);
                Ok(Self { shared })
            }
            Err(error) => {
                shared.listener.store(REFUSED, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Notes the system calls that `work` makes on this thread.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.shared.counts.store(true, Ordering::SeqCst);
        let result = work();
        self.shared.counts.store(false, Ordering::SeqCst);
        result
    }

    /// Takes what was noted so far.
    pub(super) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stops every system call of this thread from now on; the listener that is asked.
fn install() -> io::Result<i32> {
    let notify = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_USER_NOTIF,
    };
    let mut program = [notify];
    let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    // SAFETY: both calls only read what they are given, and that lives until they return. The filter changes no call, it has
    // them wait for an answer, which the thread that was started gives until this one ends.
    let listener = unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        )
    };
    // -1 is an error, and a descriptor fits.
    if listener < 0 { Err(io::Error::last_os_error()) } else { Ok(listener as i32) }
}

/// Answers the kernel until the traced thread has ended.
fn answer(shared: &Shared) {
    let listener = loop {
        // The traced thread cannot wake anybody: that would be a system call that waits for this thread.
        match shared.listener.load(Ordering::Acquire) {
            -1 => std::thread::yield_now(),
            REFUSED => return,
            listener => break listener,
        }
    };
    loop {
        let mut poll = libc::pollfd { fd: listener, events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which is ours and open, in a struct that lives on.
        unsafe { libc::poll(&raw mut poll, 1, -1) };
        if poll.revents & libc::POLLIN != 0 {
            answer_one(listener, shared);
        } else if poll.revents != 0 {
            break;
        }
    }
    // SAFETY: the descriptor is ours, and nobody uses it any more.
    unsafe { libc::close(listener) };
}

fn answer_one(listener: i32, shared: &Shared) {
    // SAFETY: the struct is made of integers, for which zero is a value; the kernel wants it zeroed.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the request that fills this struct, on a listener of ours.
    if unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } != 0 {
        // The thread was interrupted meanwhile: it asks again.
        return;
    }
    if shared.counts.load(Ordering::SeqCst) {
        let call = Call { number: asked.data.nr.into(), arguments: asked.data.args };
        shared.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: 0, flags };
    // SAFETY: the request that reads this struct, on a listener of ours. It fails only if nobody waits any more.
    unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
}

/// Page faults of this thread so far that needed no reading: memory that it touched for the first time, mostly.
pub(super) fn minor_faults() -> i64 {
    // SAFETY: the struct is made of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: fills the struct that it is given.
    let failed = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    assert_eq!(failed, 0, "{}", io::Error::last_os_error());
    usage.ru_minflt
}
