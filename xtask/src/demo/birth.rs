//! `clone3` with `CLONE_INTO_CGROUP`. Owns the one call that no library offers.
#![expect(unsafe_code, reason = "a system call that neither std nor rustix has")]

use std::{fs::File, io, os::fd::AsRawFd as _, process::exit};

use anyhow::{Result, bail};

/// As the kernel has it; libc's constant of that name is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// A child of this process, born in the cgroup v2 whose folder is open, and living `life`. Gives
/// its id. This process must have a single thread, for the child has no other.
pub(super) fn bear(cgroup: &File, life: impl FnOnce() -> Result<()>) -> Result<i64> {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD.cast_unsigned().into();
    arguments.cgroup = cgroup.as_raw_fd().cast_unsigned().into();
    // SAFETY: the arguments are valid for their size. Without CLONE_VM the child goes on with a
    // copy of everything, as after fork, and with one thread no other one holds a lock.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>())
    };
    match pid {
        -1 => bail!("clone3 into a cgroup: {}", io::Error::last_os_error()),
        0 => exit(i32::from(life().is_err())),
        pid => Ok(pid),
    }
}
