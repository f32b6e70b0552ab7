//! A cgroup namespace of one's own, as containers have it.
#![expect(unsafe_code, reason = "a call that may take a thread's files along has no safe form")]

use std::{fs, thread};

use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::{Cgroup, Unmet};

/// What `run` gives in a thread with a cgroup namespace whose root is `cgroup`. This process is in
/// that cgroup while the namespace is made; `back` is where it is taken then.
///
/// # Errors
/// If process 1's namespace is hidden here, which is the way back.
pub fn in_one_of_its_own<T: Send>(
    cgroup: &Cgroup,
    back: impl FnOnce() + Send,
    run: impl FnOnce() -> T + Send,
) -> Result<T, Unmet> {
    fs::read_link("/proc/1/ns/cgroup")
        .map_err(|error| Unmet(format!("cannot see process 1's cgroup namespace: {error}")))?;
    cgroup.take(std::process::id());
    let inside = move || {
        // SAFETY: the files stay shared; only the view of cgroups is this thread's.
        unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) }.expect("a namespace can be made");
        back();
        run()
    };
    Ok(thread::scope(|scope| scope.spawn(inside).join()).expect("the thread does not panic"))
}
