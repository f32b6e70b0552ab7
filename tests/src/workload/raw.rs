//! The system calls of the workload that no safe wrapper covers. Owns why each is sound here; not
//! what is done with them.
#![expect(unsafe_code, reason = "clone and MADV_DONTNEED have no safe form")]

use std::io;

use memmap2::{MmapMut, UncheckedAdvice};

/// Gives the pages of a range back to the kernel; they read as zeros afterwards.
///
/// # Errors
/// If the range is not made of whole pages of the mapping.
pub(super) fn give_back(map: &mut MmapMut, offset: usize, length: usize) -> io::Result<()> {
    // SAFETY: the mapping is anonymous and holds bytes, of which zero is as good as any, and the
    // exclusive borrow shows that nobody looks at them.
    unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) }
}

/// Runs `work` in a process that shares this one's memory and has a stack of its own, and then
/// ends. Gives its pid once it has. Far cheaper than a fork, as nothing is copied.
///
/// # Errors
/// If the kernel makes no process.
pub(super) fn run_elsewhere<W: FnMut()>(work: &mut W, stack: &mut MmapMut) -> io::Result<i32> {
    let top = stack.as_mut_ptr_range().end.cast();
    let argument: *mut W = work;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: this thread stands still until the process has ended, so all that it may use is the
    // process's alone meanwhile. The stack grows down from its end, and is for nothing else.
    match unsafe { libc::clone(run::<W>, top, flags, argument.cast()) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid),
    }
}

extern "C" fn run<W: FnMut()>(work: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the only caller passes a `W` that it has borrowed, and waits.
    let work = unsafe { &mut *work.cast::<W>() };
    work();
    0
}
