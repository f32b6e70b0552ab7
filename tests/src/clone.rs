//! `clone3`, which can bear a process into another cgroup, and which no crate wraps.

#![expect(unsafe_code, reason = "clone3 and an exit that runs no handler have no safe wrapper")]

use std::{fs::File, io, os::fd::AsRawFd as _};

/// The kernel's flag of that name, which has more bits than the crate's constant.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Forks; the child does `task` and ends. With a cgroup's directory the child is born there.
///
/// # Errors
/// What the kernel says.
pub fn fork(cgroup: Option<&File>, task: impl FnOnce()) -> io::Result<u32> {
    let mut arguments = libc::clone_args {
        flags: 0,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.unsigned_abs().into(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    // SAFETY: the arguments are whole and valid, and without CLONE_VM the child has memory of its
    // own. Callers have one thread, so that no lock is held by a thread the child has not.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    match pid {
        0 => {
            task();
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(0) }
        }
        ..0 => Err(io::Error::last_os_error()),
        pid => Ok(u32::try_from(pid).expect("a pid is small")),
    }
}
