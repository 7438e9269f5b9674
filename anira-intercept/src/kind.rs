//! What is counted.

use std::ops::{Add, Index};

/// A kind of thing that real-time code must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `malloc`.
    Malloc,
    /// `calloc`.
    Calloc,
    /// `realloc`.
    Realloc,
    /// `free`, of something.
    Free,
    /// `posix_memalign`, `aligned_alloc`, `memalign`.
    PosixMemalign,
    /// A mutex asked for.
    Mutex,
    /// A read-write lock asked for.
    Rwlock,
    /// A condition variable waited for or woken.
    Condvar,
    /// A system call that only waits.
    Sleep,
    /// A system call on a file.
    File,
    /// Any other system call.
    Syscall,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All kinds, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::Malloc,
        Self::Calloc,
        Self::Realloc,
        Self::Free,
        Self::PosixMemalign,
        Self::Mutex,
        Self::Rwlock,
        Self::Condvar,
        Self::Sleep,
        Self::File,
        Self::Syscall,
    ];

    /// Its name in tables and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malloc => "malloc",
            Self::Calloc => "calloc",
            Self::Realloc => "realloc",
            Self::Free => "free",
            Self::PosixMemalign => "posix_memalign",
            Self::Mutex => "mutex",
            Self::Rwlock => "rwlock",
            Self::Condvar => "condvar",
            Self::Sleep => "sleep",
            Self::File => "file",
            Self::Syscall => "syscall",
        }
    }
}

/// A number per [`Kind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Kind::COUNT]);

impl Counts {
    /// The numbers of all kinds, in the order of [`Kind::ALL`].
    #[must_use]
    pub const fn new(numbers: [u64; Kind::COUNT]) -> Self {
        Self(numbers)
    }

    /// The sum over all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each kind with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().zip(self.0)
    }
}

impl Index<Kind> for Counts {
    type Output = u64;

    fn index(&self, kind: Kind) -> &u64 {
        &self.0[kind as usize]
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_place_and_name() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            assert_eq!(Kind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
    }

    #[test]
    fn counts_add_up() {
        let counts = Counts::new(std::array::from_fn(|i| i as u64));
        let twice = counts + counts;
        assert_eq!((twice[Kind::Calloc], twice[Kind::Syscall]), (2, 20));
        assert_eq!(twice.total(), 110);
        assert!(counts.iter().eq(Kind::ALL.into_iter().zip(0..)));
    }
}
