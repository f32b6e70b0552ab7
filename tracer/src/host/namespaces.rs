//! Whose view `/proc` and the cgroup paths in it are, and which namespaces a process is in.
//!
//! Owns the links in `/proc/PID/ns`, and the comparison with the initial namespaces. Entering
//! another one is not done here.

use std::{fs, os::fd::AsFd};

use rustix::{
    fs::{CWD, readlinkat_raw},
    path::Arg,
};
use truant_core::input::Namespaces as Numbers;

use super::{Host, fsutil::number32};

/// Room for a link, such as `cgroup:[4026531835]`.
const LINK: usize = 64;

/// Inode numbers the kernel fixes for its initial namespaces (`include/linux/proc_ns.h`).
pub(super) const INITIAL_CGROUP: u32 = 4_026_531_835;
pub(super) const INITIAL_PID: u32 = 4_026_531_836;
pub(super) const INITIAL_USER: u32 = 4_026_531_837;

/// Facts on the namespaces of this process; none where a link could not be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Namespaces {
    /// Whether the procfs is that of the initial pid namespace, and so shows every task under the
    /// number the kernel's events have.
    pub(crate) proc_initial: Option<bool>,
    /// Whether this process is in the initial pid namespace.
    pub(crate) pid_initial: Option<bool>,
    /// Whether this process is in the initial cgroup namespace. If not, cgroup paths in procfs are
    /// relative to somewhere else, and begin with `/..` where they lie outside of it.
    pub(crate) cgroup_initial: Option<bool>,
    /// Whether this process has the cgroup namespace of the procfs' process 1.
    pub(crate) cgroup_as_init: Option<bool>,
}

impl Host {
    /// Looks at this process and at process 1.
    pub(crate) fn namespaces(&self) -> Namespaces {
        let (own, init) = (self.namespace("self", "cgroup"), self.namespace("1", "cgroup"));
        let pid_initial = self.namespace("self", "pid").map(|number| number == INITIAL_PID);
        // A process of the initial namespace sees itself only in a procfs of that namespace.
        let seen = pid_initial.filter(|initial| *initial);
        let of_init = || self.namespace("1", "pid").map(|number| number == INITIAL_PID);
        Namespaces {
            proc_initial: seen.or_else(of_init),
            pid_initial,
            cgroup_initial: own.map(|number| number == INITIAL_CGROUP),
            cgroup_as_init: own.zip(init).map(|(own, init)| own == init),
        }
    }

    /// This process's number in the initial pid namespace; none where the procfs is of another.
    pub(crate) fn own_pid(&self) -> Option<u32> {
        self.namespaces().proc_initial.filter(|initial| *initial)?;
        let status = fs::read(self.proc.join("self/status")).ok()?;
        let numbers = field(&status, b"NSpid:")?;
        // The first is the number in the procfs' namespace, the last the process's own.
        let first = numbers.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
        number32(first)
    }

    fn namespace(&self, process: &str, kind: &str) -> Option<u32> {
        number_of(CWD, self.proc.join(process).join("ns").join(kind))
    }
}

/// The namespaces of a process, by its open directory in procfs; none where no link can be read,
/// as of a process that is dead, or that this one may not look into.
pub(super) fn of_process(dir: impl AsFd) -> Option<Numbers> {
    let dir = dir.as_fd();
    let numbers = Numbers {
        pid: number_of(dir, c"ns/pid"),
        mount: number_of(dir, c"ns/mnt"),
        cgroup: number_of(dir, c"ns/cgroup"),
        net: number_of(dir, c"ns/net"),
        ipc: number_of(dir, c"ns/ipc"),
    };
    (numbers != Numbers::default()).then_some(numbers)
}

/// The number in a link of the form `kind:[number]`.
pub(super) fn number_of(dir: impl AsFd, link: impl Arg) -> Option<u32> {
    let mut room = [0; LINK];
    let len = readlinkat_raw(dir, link, &mut room).ok()?;
    number_in(&room[..len])
}

fn number_in(link: &[u8]) -> Option<u32> {
    let open = link.iter().position(|byte| *byte == b'[')?;
    number32(link[open + 1..].strip_suffix(b"]")?)
}

/// The rest of the line of a `status` file that begins with `key`, white space trimmed.
pub(super) fn field<'a>(status: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(key)).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::Tree;

    const CGROUP: [&str; 2] = ["cgroup:[4026531835]", "cgroup:[4026532500]"];
    const PID: [&str; 2] = ["pid:[4026531836]", "pid:[4026532501]"];

    #[test]
    fn on_the_host() {
        let tree = Tree::new()
            .link("proc/self/ns/cgroup", CGROUP[0])
            .link("proc/1/ns/cgroup", CGROUP[0])
            .link("proc/self/ns/pid", PID[0])
            .file("proc/self/status", "Name:\tx\nNSpid:\t77\n");
        let yes = Some(true);
        let expected = Namespaces {
            proc_initial: yes,
            pid_initial: yes,
            cgroup_initial: yes,
            cgroup_as_init: yes,
        };
        assert_eq!(tree.host().namespaces(), expected);
        assert_eq!(tree.host().own_pid(), Some(77));
    }

    #[test]
    fn in_a_container_with_its_own_namespaces() {
        let tree = Tree::new()
            .link("proc/self/ns/cgroup", CGROUP[1])
            .link("proc/1/ns/cgroup", CGROUP[1])
            .link("proc/self/ns/pid", PID[1])
            .link("proc/1/ns/pid", PID[1])
            .file("proc/self/status", "NSpid:\t7\n");
        let expected = Namespaces {
            proc_initial: Some(false),
            pid_initial: Some(false),
            cgroup_initial: Some(false),
            cgroup_as_init: Some(true),
        };
        assert_eq!(tree.host().namespaces(), expected);
        assert_eq!(tree.host().own_pid(), None);
    }

    #[test]
    fn in_a_container_with_the_procfs_of_the_host() {
        let tree = Tree::new()
            .link("proc/self/ns/cgroup", CGROUP[1])
            .link("proc/1/ns/cgroup", CGROUP[0])
            .link("proc/self/ns/pid", PID[1])
            .link("proc/1/ns/pid", PID[0])
            .file("proc/self/status", "NSpid:\t4711\t7\n");
        assert_eq!(tree.host().namespaces().cgroup_as_init, Some(false));
        assert_eq!(tree.host().own_pid(), Some(4711));
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        assert_eq!(Tree::new().host().namespaces(), Namespaces::default());
        assert_eq!(Tree::new().host().own_pid(), None);
    }

    #[test]
    fn numbers_in_links() {
        for (link, expected) in [
            ("pid:[4026531836]", Some(4_026_531_836)),
            ("pid_for_children:[1]", Some(1)),
            ("pid:[4294967296]", None),
            ("pid:[]", None),
            ("pid:[1", None),
            ("pid", None),
            ("", None),
        ] {
            assert_eq!(number_in(link.as_bytes()), expected, "{link:?}");
        }
    }

    #[test]
    fn the_live_procfs_knows_this_process() {
        let host = Host::live();
        let facts = host.namespaces();
        assert!(facts.pid_initial.is_some(), "its own links are always there to be read");
        assert_eq!(host.own_pid().is_some(), facts.proc_initial == Some(true));
        if facts.pid_initial == Some(true) {
            assert_eq!(host.own_pid(), Some(std::process::id()));
        }
    }
}
