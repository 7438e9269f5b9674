//! System calls, seen by a filter of the kernel's: each call of a watched thread stops it until a second thread has counted the
//! call and told the kernel to go on. However the call is made, it is seen: also by machine code in a library.
#![allow(unsafe_code, reason = "installs a filter, reads what it reports")]

use std::io::Error;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_ulong, c_void};

use super::number;
use crate::{Unavailable, tally};

/// The thread that counts has not begun.
const STARTING: c_int = -1;
/// It has; the filter is not there yet.
const WAITING: c_int = -2;
/// There will be none.
const REFUSED: c_int = -3;
/// Between two looks at it.
const POLL: Duration = Duration::from_micros(50);

/// The system's number of the calling thread.
pub(crate) fn thread() -> u32 {
    // SAFETY: takes nothing, always succeeds.
    unsafe { libc::gettid() }.unsigned_abs()
}

/// Makes one system call that has no effect.
pub(crate) fn probe() {
    // SAFETY: takes nothing, always succeeds.
    unsafe { libc::getppid() };
}

/// Runs `work` on a new thread with the filter, which its own threads inherit.
pub(crate) fn on_watched_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Unavailable> {
    let listener: &'static AtomicI32 = Box::leak(Box::new(AtomicI32::new(STARTING)));
    // It has to live as long as any thread that the filter stops, which may be as long as the process: nobody joins it.
    thread::Builder::new()
        .name("anira-syscalls".into())
        .spawn(move || count_calls(listener))
        .map_err(|error| Unavailable(format!("no thread to count with: {error}")))?;
    // What starts a thread takes locks of the C library's; `work` could stop at the filter while it holds one, and both would wait for
    // ever: they would meet while a library is loaded.
    while listener.load(Ordering::Acquire) == STARTING {
        thread::sleep(POLL);
    }
    thread::scope(|threads| {
        let worker = thread::Builder::new().name("anira-watched".into()).spawn_scoped(threads, || {
            match install() {
                Ok(descriptor) => listener.store(descriptor, Ordering::Release),
                Err(error) => {
                    listener.store(REFUSED, Ordering::Release);
                    return Err(Unavailable(format!(
                        "the kernel reports no system calls ({error}): it takes Linux 5.8 or newer, and no container \
                         that forbids `seccomp`"
                    )));
                }
            }
            Ok(work())
        });
        let worker = worker.map_err(|error| Unavailable(format!("no thread to count on: {error}")))?;
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Puts the filter on the calling thread; gives the file by which it reports.
fn install() -> Result<c_int, Error> {
    let report = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_USER_NOTIF,
    };
    let mut program = [report];
    let program = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    let none: c_ulong = 0;
    // SAFETY: without pointers; takes from this thread what it could not do anyway.
    let status = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_ulong, none, none, none) };
    if status != 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the program has the length that it says and lives during the call, which copies it.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    match c_int::try_from(descriptor) {
        Ok(descriptor) if descriptor >= 0 => Ok(descriptor),
        _ => Err(Error::last_os_error()),
    }
}

/// Counts until no thread with the filter is left. No allocation and no lock once it has begun: the thread that waits for an
/// answer may be inside of the allocator.
fn count_calls(listener: &AtomicI32) {
    listener.store(WAITING, Ordering::Release);
    let descriptor = loop {
        match listener.load(Ordering::Acquire) {
            WAITING => thread::sleep(POLL),
            REFUSED => return,
            descriptor => break descriptor,
        }
    };
    loop {
        let mut ready = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives during the call.
        unsafe { libc::poll(&raw mut ready, 1, -1) };
        if ready.revents & libc::POLLIN != 0 {
            answer(descriptor);
        } else if ready.revents != 0 {
            // SAFETY: opened by `install`, known to nobody else.
            unsafe { libc::close(descriptor) };
            return;
        }
    }
}

fn answer(descriptor: c_int) {
    // SAFETY: a plain structure of numbers, for which zeros are valid; the kernel asks for zeros.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is the one that this request writes.
    if unsafe { libc::ioctl(descriptor, libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut call).cast::<c_void>()) }
        != 0
    {
        // The thread was ended before it was heard.
        return;
    }
    tally::add_for(call.pid, number::kind(call.data.nr.into()));
    let go_on = libc::seccomp_notif_resp {
        id: call.id,
        val: 0,
        error: 0,
        flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    };
    // SAFETY: the structure is the one that this request reads. It fails only if the thread is no longer there.
    unsafe { libc::ioctl(descriptor, libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw const go_on).cast::<c_void>()) };
}
