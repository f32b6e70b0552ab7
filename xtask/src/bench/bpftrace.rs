//! bpftrace, what truant's cost is set beside: the one-liners, and how a guest without libraries
//! gets the program. Owns no measurement.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{sh, vm::GUEST_BIN};

/// The function that charges a page on a fault. Until 5.15 it had the name that an inline wrapper
/// has since.
pub(super) fn charge_function(kernel: &str) -> &'static str {
    if kernel == "5.10" { "mem_cgroup_charge" } else { "__mem_cgroup_charge" }
}

/// Counts the pages charged on faults by cgroup and process.
pub(super) fn charges_one_liner(kernel: &str) -> String {
    format!("kprobe:{} {{ @[cgroup, pid, comm] = count(); }}", charge_function(kernel))
}

/// Sums the statistics of memory cgroups by cgroup, process and item, from the tracepoints that
/// truant falls back to.
pub(super) const STATE_ONE_LINER: &str = "\
    tracepoint:memcg:mod_memcg_lruvec_state,tracepoint:memcg:mod_memcg_state \
    { @[args->id, pid, comm, args->item] = sum(args->val); }";

/// bpftrace and every library that it takes, as files of a guest.
///
/// # Errors
/// If it is not installed.
pub(super) fn guest_files(sh: &Shell) -> Result<Vec<(PathBuf, PathBuf)>> {
    let program = sh::which("bpftrace").context("bpftrace is not installed")?;
    let listed = cmd!(sh, "ldd {program}").quiet().read()?;
    let mut files = vec![(Path::new(GUEST_BIN).join("bpftrace"), program)];
    files.extend(libraries(&listed).into_iter().map(|path| (path.clone(), path)));
    Ok(files)
}

/// The paths in what `ldd` lists: after the arrow, or alone for the loader.
fn libraries(listed: &str) -> Vec<PathBuf> {
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    listed.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_listed_and_the_vdso_is_not() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f96)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f96)\n";
        let paths = ["/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(listed), paths.map(PathBuf::from));
    }
}
