//! Memory of the process that is free and still held.
#![expect(unsafe_code, reason = "the C library's call has no safe wrapper")]

/// Gives what is free on the heap back to the kernel. The C library does so by itself only with
/// what lies at the heap's end.
#[cfg(target_env = "gnu")]
pub(crate) fn trim() {
    // SAFETY: the call takes no pointer and leaves what is in use where it is.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Other C libraries have no such call.
#[cfg(not(target_env = "gnu"))]
pub(crate) const fn trim() {}
