//! Cgroups that come and go, some of which leave pages behind that are given back when the cgroup
//! is long removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use fastrand::Rng;

use super::{
    Place,
    holdings::{Held, Holdings},
    join,
};

/// Tries to remove a cgroup that the kernel still calls busy.
const TRIES: u32 = 200;

/// Makes, uses and removes so many cgroups.
pub(super) fn run(
    count: u64,
    rng: &mut Rng,
    place: &Place,
    holdings: &mut Holdings,
) -> io::Result<()> {
    for index in 0..count {
        let cgroup = beside(&place.cgroup)?.join(format!("c{index}"));
        fs::create_dir(&cgroup)?;
        join(&cgroup)?;
        holdings.touch(rng.u64(1..64))?;
        if rng.bool() {
            holdings.write_on_tmpfs(rng.u64(1..32))?;
        }
        join(&place.cgroup)?;
        // Memory goes before its cgroup does, files now and then outlive it for good.
        holdings.held.retain(|held| matches!(held, Held::File(_)));
        remove(&cgroup)?;
        if rng.u8(0..32) == 0 {
            holdings.let_go(rng);
        }
    }
    Ok(())
}

fn beside(cgroup: &Path) -> io::Result<PathBuf> {
    let parent = cgroup.parent().ok_or_else(|| io::Error::other("a root has nothing beside it"))?;
    Ok(parent.join("churn"))
}

/// Removes an empty cgroup.
///
/// # Errors
/// What the kernel answers; that it is busy only if it stays so for a second.
pub(super) fn remove(cgroup: &Path) -> io::Result<()> {
    for _ in 0..TRIES {
        match fs::remove_dir(cgroup) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
    fs::remove_dir(cgroup)
}
