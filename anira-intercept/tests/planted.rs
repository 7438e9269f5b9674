//! What is planted is counted, each kind exactly, whoever does it.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(unsafe_code, clippy::unwrap_used, reason = "tests call the C library as a library in C would")]

use std::alloc::{Layout, alloc, dealloc};
use std::fs::File;
use std::hint::black_box;
use std::panic::catch_unwind;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anira_intercept::{Counted, Counts, Kind, Watch, watched};

/// What `work` does, on a watched thread, after it has been done once: what is looked up or made at the first time is there.
fn count(mut work: impl FnMut() + Send) -> Counted {
    let counted = watched(|watch| {
        work();
        watch.count(&mut work).map(|(_, counted)| counted)
    });
    counted.unwrap().unwrap()
}

/// Counts of these kinds and of no other.
fn only(kinds: &[(Kind, u64)]) -> Counts {
    let of = |kind| kinds.iter().find(|(own, _)| *own == kind).map_or(0, |(_, count)| *count);
    Counts::new(Kind::ALL.map(of))
}

#[test]
fn nothing_is_nothing() {
    let mut numbers = [1.0f32; 64];
    let work = || numbers.iter_mut().for_each(|x| *x = black_box(*x * 0.5));
    assert_eq!(count(work).mine, Counts::default());
}

#[test]
fn memory_that_rust_takes() {
    let counted = count(|| {
        let mut numbers: Vec<u64> = black_box(Vec::with_capacity(3));
        numbers.extend([1, 2, 3]);
        numbers.reserve_exact(black_box(100));
        drop(black_box(vec![0u8; black_box(1000)]));
        let wide = Layout::from_size_align(256, 128).unwrap();
        // SAFETY: the layout has a size; what is given is given back with the same layout.
        unsafe { dealloc(black_box(alloc(wide)), wide) };
    });
    let right =
        [(Kind::Malloc, 1), (Kind::Realloc, 1), (Kind::Calloc, 1), (Kind::PosixMemalign, 1), (Kind::Free, 3)];
    assert_eq!(counted.mine, only(&right));
}

#[test]
fn memory_that_a_shared_library_takes() {
    let counted = count(|| {
        for _ in 0..7 {
            // SAFETY: the text ends with a zero, and what comes back is the caller's to free.
            unsafe { libc::free(black_box(libc::strdup(c"a text".as_ptr())).cast()) };
        }
        // SAFETY: nothing may be given back.
        unsafe { libc::free(black_box(std::ptr::null_mut())) };
    });
    assert_eq!(counted.mine, only(&[(Kind::Malloc, 7), (Kind::Free, 7)]));
}

#[test]
fn memory_from_the_kernel_is_a_system_call_too() {
    const LARGE: usize = 64 << 20;
    let counted = count(|| drop(black_box(Vec::<u8>::with_capacity(black_box(LARGE)))));
    // One mmap, one munmap, made inside of the C library.
    assert_eq!(counted.mine, only(&[(Kind::Malloc, 1), (Kind::Free, 1), (Kind::Syscall, 2)]));
}

#[test]
fn locks() {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let mut rwlock = libc::PTHREAD_RWLOCK_INITIALIZER;
    let mut condvar = libc::PTHREAD_COND_INITIALIZER;
    let counted = count(|| {
        let (mutex, rwlock, condvar) = (&raw mut mutex, &raw mut rwlock, &raw mut condvar);
        // SAFETY: initialised, alive, used by this thread alone, each lock given back by who took it.
        unsafe {
            for _ in 0..3 {
                assert_eq!(libc::pthread_mutex_lock(mutex), 0);
                assert_ne!(libc::pthread_mutex_trylock(mutex), 0, "it is taken");
                assert_eq!(libc::pthread_mutex_unlock(mutex), 0);
            }
            assert_eq!(libc::pthread_rwlock_rdlock(rwlock), 0);
            assert_eq!(libc::pthread_rwlock_unlock(rwlock), 0);
            assert_eq!(libc::pthread_rwlock_wrlock(rwlock), 0);
            assert_eq!(libc::pthread_rwlock_unlock(rwlock), 0);
            for _ in 0..5 {
                assert_eq!(libc::pthread_cond_signal(condvar), 0);
            }
        }
    });
    assert_eq!(counted.mine, only(&[(Kind::Mutex, 6), (Kind::Rwlock, 2), (Kind::Condvar, 5)]));
}

#[test]
fn a_wait_for_a_condition_ends_at_its_time() {
    let mut mutex = libc::PTHREAD_MUTEX_INITIALIZER;
    let mut condvar = libc::PTHREAD_COND_INITIALIZER;
    let counted = count(|| {
        let long_ago = libc::timespec { tv_sec: 1, tv_nsec: 0 };
        // SAFETY: as in `locks`.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(&raw mut mutex), 0);
            let answer = libc::pthread_cond_timedwait(&raw mut condvar, &raw mut mutex, &raw const long_ago);
            assert_eq!(answer, libc::ETIMEDOUT);
            assert_eq!(libc::pthread_mutex_unlock(&raw mut mutex), 0);
        }
    });
    assert_eq!((counted.mine[Kind::Mutex], counted.mine[Kind::Condvar]), (1, 1));
}

#[test]
fn files_and_sleep() {
    let counted = count(|| {
        (0..2).for_each(|_| open_and_close());
        thread::sleep(Duration::from_millis(1));
    });
    assert_eq!(counted.mine, only(&[(Kind::File, 4), (Kind::Sleep, 1)]));
    let rusts = count(|| drop(File::open("/dev/null").unwrap()));
    // In debug builds the standard library asks whether what it closes was open.
    assert_eq!(rusts.mine[Kind::File], if cfg!(debug_assertions) { 3 } else { 2 });
}

fn open_and_close() {
    // SAFETY: the text ends with a zero; what was opened is closed once.
    let closed = unsafe { libc::close(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY)) };
    assert_eq!(closed, 0);
}

/// As a library does that brings its own locks.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_system_call_in_machine_code() {
    let counted = count(|| {
        for _ in 0..9 {
            let mut number = libc::SYS_getppid;
            // SAFETY: takes nothing, changes but the three registers.
            unsafe {
                std::arch::asm!("syscall", inout("rax") number, out("rcx") _, out("r11") _, options(nostack));
            }
            assert!(black_box(number) > 0);
        }
    });
    assert_eq!(counted.mine, only(&[(Kind::Syscall, 9)]));
}

#[test]
fn other_threads_are_told_apart() {
    let (start, end) = (Barrier::new(2), Barrier::new(2));
    let counted = watched(|watch| {
        thread::scope(|threads| {
            threads.spawn(|| {
                start.wait();
                for _ in 0..4 {
                    drop(black_box(Box::new(black_box(1u64))));
                    open_and_close();
                }
                end.wait();
            });
            watch.count(|| {
                start.wait();
                drop(black_box(Box::new(black_box(1u64))));
                end.wait();
            })
        })
    });
    let Counted { mine, others } = counted.unwrap().unwrap().1;
    assert_eq!((mine[Kind::Malloc], mine[Kind::Free], mine[Kind::File]), (1, 1, 0));
    // The threads of other tests may take memory meanwhile; their files are not seen.
    assert!(others[Kind::Malloc] >= 4 && others[Kind::File] == 8, "{others:?}");
}

#[test]
fn a_thread_from_outside_is_refused() {
    let (send, receive) = channel();
    let stranger = thread::spawn(move || receive.recv().map(|watch: Watch| watch.count(|| ()).map(drop)));
    watched(|watch| send.send(*watch)).unwrap().unwrap();
    let told = stranger.join().unwrap().unwrap().unwrap_err().to_string();
    assert!(told.contains("not started inside of `watched`"), "{told}");
}

#[test]
fn a_panic_inside_comes_out() {
    let panicked = catch_unwind(|| watched(|_| panic!("on purpose")));
    assert_eq!(panicked.err().unwrap().downcast_ref::<&str>(), Some(&"on purpose"));
    // And the next one works.
    assert_eq!(count(|| drop(black_box(Box::new(black_box(1u64))))).mine[Kind::Malloc], 1);
}

#[test]
fn one_closure_is_counted_at_a_time() {
    let work = || {
        for _ in 0..50 {
            drop(black_box(Box::new(black_box(1u64))));
            thread::yield_now();
        }
    };
    thread::scope(|threads| {
        let runs: Vec<_> = (0..4).map(|_| threads.spawn(|| count(work).mine)).collect();
        for run in runs {
            let right = [(Kind::Malloc, 50), (Kind::Free, 50), (Kind::Syscall, 50)];
            assert_eq!(run.join().unwrap(), only(&right));
        }
    });
}
