//! Which process something was made in: [`Origin`].
//!
//! A fork copies memory and one thread: workers are gone, locks that they held stay shut for ever. What was made before is
//! recognised by a word on a page of its own that the kernel gives to children filled with zeros (Linux: `MADV_WIPEONFORK`). An
//! audio thread reads it without a system call.

#![allow(unsafe_code, reason = "madvise takes an address")]

use crate::sync::real::{AtomicU32, AtomicU64, Ordering};

/// How many processes, each forked from the last, keep apart what they share under a lock: see [`Origin::of`].
pub const GENERATIONS: usize = 8;

/// The process that something was made in, told apart from its parents and its children by fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(u32);

/// At least as long as any page of the system, or the rest of a page would be wiped, too.
const SIZE: usize = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) { 4096 } else { 65536 };

#[cfg_attr(any(target_arch = "x86_64", target_arch = "x86"), repr(C, align(4096)))]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "x86")), repr(C, align(65536)))]
struct Page {
    word: AtomicU32,
    _rest: [u8; SIZE - 4],
}

/// The number of this process, 0 in a child that has not asked yet. In a static that nothing else shares a page with: it goes
/// when the module goes.
static PAGE: Page = Page { word: AtomicU32::new(0), _rest: [0; SIZE - 4] };

/// Numbers given so far, by this process and those that it descends from.
static GIVEN: AtomicU32 = AtomicU32::new(0);

/// Where the kernel wipes nothing: the process that asked last, and the number that it got.
static ASKED: AtomicU64 = AtomicU64::new(0);

impl Origin {
    /// This process. Control thread: makes a system call, and gives a new process its number.
    #[must_use]
    pub fn here() -> Self {
        // Asked each time, for it is cheap: in a child it is another page.
        if wipe_on_fork() { Self(number()) } else { Self(number_by_id()) }
    }

    /// Whether this is still the process of the origin, and not a fork. Any thread; one load. Where the kernel does not wipe pages, a
    /// fork is not noticed before something in it has asked [`here`](Self::here), which all control calls do.
    #[must_use]
    pub fn is_here(self) -> bool {
        // Relaxed: a word on its own. Nobody writes it while its process lives, but for the first time.
        PAGE.word.load(Ordering::Relaxed) == self.0
    }

    /// This process, if anything was made in it. Any thread; one load.
    #[must_use]
    pub fn known() -> Option<Self> {
        let word = PAGE.word.load(Ordering::Relaxed);
        (word != 0).then_some(Self(word))
    }

    /// The one of these that belongs to this process, and to none of those that it descends from (the next [`GENERATIONS`], that is):
    /// a lock of one's own is held by no thread that was left behind. Any thread.
    #[must_use]
    pub fn of<T>(self, cells: &[T; GENERATIONS]) -> &T {
        &cells[self.0 as usize % GENERATIONS]
    }
}

/// The number of a process whose page was empty when it began.
fn number() -> u32 {
    let word = &PAGE.word;
    let seen = word.load(Ordering::Relaxed);
    if seen != 0 {
        return seen;
    }
    // Relaxed, as all here: numbers differ, and nothing else is told by them.
    let mine = GIVEN.fetch_add(1, Ordering::Relaxed) + 1;
    word.compare_exchange(0, mine, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|other| other, |_| mine)
}

/// The number of a process that is told from others by its id.
fn number_by_id() -> u32 {
    let id = std::process::id();
    loop {
        let asked = ASKED.load(Ordering::Relaxed);
        let (owner, number) = ((asked >> 32) as u32, asked as u32);
        if owner == id && number != 0 {
            PAGE.word.store(number, Ordering::Relaxed);
            return number;
        }
        let next = u64::from(id) << 32 | u64::from(number + 1);
        // If it fails, another thread was first.
        let _ = ASKED.compare_exchange(asked, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Asks the kernel to hand children an empty page. Whether it does.
#[cfg(target_os = "linux")]
fn wipe_on_fork() -> bool {
    use rustix::mm::{Advice, madvise};
    // Not where pages are longer than the static: its neighbours would be wiped, too.
    if rustix::param::page_size() > size_of::<Page>() {
        return false;
    }
    let page = std::ptr::from_ref(&PAGE).cast_mut().cast();
    // SAFETY: the range is one static of ours, aligned to its size, which is a whole number of pages: no other object lies in it. The
    // advice changes nothing in this process; in a child it zeroes the page, which is a valid value of `Page`, whose word is
    // read as an atomic.
    unsafe { madvise(page, size_of::<Page>(), Advice::LinuxWipeOnFork) }.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn wipe_on_fork() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_origin_and_knows_it() {
        let first = Origin::here();
        assert_eq!(Origin::here(), first);
        assert_eq!(Origin::known(), Some(first));
        assert!(first.is_here());
        assert!(!Origin(first.0 + 1).is_here());
        let cells = [(); GENERATIONS].map(|()| std::cell::Cell::new(0));
        (0..GENERATIONS as u32).for_each(|n| Origin(first.0 + n).of(&cells).set(n));
        assert_eq!(first.of(&cells).get(), 0);
    }

    #[test]
    fn threads_that_ask_at_once_get_one_answer() {
        let ask = || std::thread::spawn(Origin::here);
        let asked: Vec<_> =
            (0..8).map(|_| ask()).collect::<Vec<_>>().into_iter().flat_map(|t| t.join()).collect();
        assert_eq!(asked, vec![Origin::here(); 8]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_wipes_the_page() {
        assert!(wipe_on_fork(), "a kernel older than 4.14, or a page that is not anonymous");
    }

    #[test]
    fn by_id_a_process_has_one_number_too() {
        let first = number_by_id();
        assert_ne!(first, 0);
        assert_eq!(number_by_id(), first);
    }
}
