//! Whether this host's KVM runs a guest. Owns the trial and the memory of its verdict: a host may
//! offer `/dev/kvm` that makes a virtual CPU and then cannot boot a stock kernel on it, so nothing
//! short of a boot tells.

use std::fs::File;
use std::path::Path;

use anyhow::Result;

use crate::cache;

/// Changes at each boot of the host, and so does the verdict's file name.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Asks `trial` to boot a guest under KVM, at most once for each boot of this host.
pub(super) fn kvm_works(trial: impl FnOnce() -> bool) -> Result<bool> {
    if File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(false);
    }
    let boot = std::fs::read_to_string(BOOT_ID)?;
    remembered(&cache::folder("kvm")?, boot.trim(), trial)
}

/// The verdict in `folder/key`, or that of `trial`, which is written there. Others wait meanwhile.
fn remembered(folder: &Path, key: &str, trial: impl FnOnce() -> bool) -> Result<bool> {
    let _lock = cache::lock(&folder.join("lock"))?;
    let file = folder.join(key);
    if let Ok(verdict) = std::fs::read_to_string(&file) {
        return Ok(verdict == "works");
    }
    let works = trial();
    cache::write_whole(&file, if works { "works" } else { "does not work" })?;
    Ok(works)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        for verdict in [true, false] {
            let key = verdict.to_string();
            assert_eq!(remembered(folder.path(), &key, || verdict).unwrap(), verdict);
            let again = remembered(folder.path(), &key, || unreachable!("a second trial"));
            assert_eq!(again.unwrap(), verdict);
        }
    }
}
