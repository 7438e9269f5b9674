//! Which system call is of which kind.

use libc::c_long;

use crate::Kind;

/// The kind of a system call by its number.
pub(super) fn kind(number: c_long) -> Kind {
    if SLEEPS.contains(&number) {
        Kind::Sleep
    } else if FILES.contains(&number) || OLD_FILES.contains(&number) {
        Kind::File
    } else {
        Kind::Syscall
    }
}

const SLEEPS: &[c_long] = &[libc::SYS_nanosleep, libc::SYS_clock_nanosleep];

const FILES: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
];

/// Those that newer architectures do without.
#[cfg(target_arch = "x86_64")]
const OLD_FILES: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_dup2,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FILES: &[c_long] = &[libc::SYS_renameat];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_of_one_kind() {
        assert_eq!(kind(libc::SYS_clock_nanosleep), Kind::Sleep);
        assert_eq!(kind(libc::SYS_openat), Kind::File);
        assert_eq!(kind(libc::SYS_renameat), Kind::File);
        assert_eq!(kind(libc::SYS_futex), Kind::Syscall);
        assert_eq!(kind(libc::SYS_mmap), Kind::Syscall);
        assert!(SLEEPS.iter().all(|number| !FILES.contains(number)));
    }
}
