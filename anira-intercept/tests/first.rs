//! A watched thread that opens a library first thing: the thread that counts must have begun by then.
//!
//! A thread that is being started takes the lock of C's loader; a thread that opens a library holds it while it makes system calls, which
//! wait for the thread that counts.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(unsafe_code, clippy::unwrap_used, reason = "tests call the C library as a library in C would")]

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anira_intercept::watched;

/// In the process that is started.
const INSIDE: &str = "ANIRA_OPENS_LIBRARIES";
const TIMES: usize = 400;

/// Not a test of its own: what the other runs in a process that can be ended.
#[test]
fn opens_libraries() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    for _ in 0..TIMES {
        // A program can't be opened as a library: the loader finds that out by reading it, with its lock held.
        // SAFETY: the text ends with a zero; nothing of the file is run.
        let opened =
            watched(|_| unsafe { libc::dlopen(c"/proc/self/exe".as_ptr(), libc::RTLD_NOW) }.is_null());
        assert!(opened.unwrap(), "a program was opened");
    }
}

#[test]
fn a_library_may_be_opened_first_thing() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["opens_libraries", "--exact"]).env(INSIDE, "1").stdout(Stdio::null());
    let mut process = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(120);
    let ended = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(ended.success(), "{ended}");
}
