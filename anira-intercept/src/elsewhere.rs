//! Systems where nothing is intercepted.

use crate::Unavailable;

pub(crate) fn is_in_place() -> Result<(), Unavailable> {
    Err(Unavailable(
        "nothing can be counted on this system: it takes Linux with glibc, on x86-64 or AArch64".into(),
    ))
}

pub(crate) fn on_watched_thread<T>(_: impl FnOnce() -> T) -> Result<T, Unavailable> {
    Err(Unavailable("nothing can be counted on this system".into()))
}

pub(crate) fn thread() -> u32 {
    0
}

pub(crate) fn probe() {}
