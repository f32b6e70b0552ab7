//! `/proc/PID/mountinfo`: what is mounted where in one mount namespace.
//!
//! Owns the format and its octal escapes. Whoever may mount may choose nearly every byte of it.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use rustix::fs::makedev;

use super::{Host, ReadError, fsutil::number32, read};

/// One mount.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mount {
    /// Its number, which no other mount has while this one is there.
    pub(crate) id: u32,
    /// The number of the mount that it is mounted on.
    pub(crate) parent: u32,
    /// The device number that files on it have, as `stat` gives it.
    pub(crate) device: u64,
    /// Which directory of the file system is mounted: `/` for all of it. For a cgroup file
    /// system it is relative to the reader's cgroup namespace, and can begin with `/..`.
    pub(crate) root: Box<[u8]>,
    /// Where it is mounted, from the root directory of the process whose file was read.
    pub(crate) point: PathBuf,
    /// Whether it can be written to: neither the mount nor the file system is read-only.
    pub(crate) writable: bool,
    /// The file system's type: `cgroup2`, `cgroup`, `tracefs`, …
    pub(crate) kind: Box<[u8]>,
    /// The file system's own options, in order.
    pub(crate) options: Vec<Box<[u8]>>,
}

impl Mount {
    /// Whether the file system has this option.
    pub(crate) fn has(&self, option: &[u8]) -> bool {
        self.options.iter().any(|has| **has == *option)
    }

    /// Whether it shows the hierarchy of this name: `name` as in `/proc/PID/cgroup`, empty for
    /// v2. A controller, or a `name=…`, is in one hierarchy only.
    pub(crate) fn shows(&self, name: &str) -> bool {
        match &*self.kind {
            b"cgroup2" => name.is_empty(),
            b"cgroup" => name.split(',').all(|part| !part.is_empty() && self.has(part.as_bytes())),
            _ => false,
        }
    }
}

/// The mounts of a namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mounts {
    /// The mounts in the file's order; a later one may cover an earlier one.
    pub(crate) list: Vec<Mount>,
    /// Lines that have not the form of a mount.
    pub(crate) malformed: usize,
}

impl Host {
    /// The mounts that a process sees; `process` is a directory of procfs, such as `self`.
    pub(crate) fn mounts(&self, process: &str) -> Result<Mounts, ReadError> {
        read(&self.proc.join(process).join("mountinfo")).map(|bytes| parse(&bytes))
    }
}

/// Reads a whole file's contents.
pub(crate) fn parse(bytes: &[u8]) -> Mounts {
    let mut mounts = Mounts::default();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match parse_line(line) {
            Some(mount) => mounts.list.push(mount),
            None => mounts.malformed += 1,
        }
    }
    mounts
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (id, parent) = (number32(fields.next()?)?, number32(fields.next()?)?);
    let device = device(fields.next()?)?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let per_mount = fields.next()?;
    fields.find(|field| *field == b"-")?;
    let kind = unescape(fields.next()?);
    let _source = fields.next()?;
    let options = fields.next()?;
    let writable = !is_read_only(per_mount) && !is_read_only(options);
    let options = options.split(|byte| *byte == b',').map(|option| unescape(option).into());
    point.starts_with(b"/").then(|| Mount {
        id,
        parent,
        device,
        root: root.into(),
        point: PathBuf::from(OsString::from_vec(point)),
        writable,
        kind: kind.into(),
        options: options.collect(),
    })
}

fn device(field: &[u8]) -> Option<u64> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    Some(makedev(number32(&field[..colon])?, number32(&field[colon + 1..])?))
}

fn is_read_only(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == b"ro")
}

/// Undoes the kernel's `\ooo`. A backslash before anything else stays.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'\\').then(|| octal(tail)).flatten();
        plain.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[3..] } else { tail };
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..3)?;
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    let value = digits.iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    value.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::captures::{Capture, without_ids};

    #[track_caller]
    fn check(line: &str, point: &str, shows: &[&str], writable: bool) {
        let mounts = parse(line.as_bytes());
        let [mount] = &mounts.list[..] else { panic!("no mount in {line:?}") };
        assert_eq!(mount.point, PathBuf::from(point));
        assert_eq!(mount.writable, writable);
        for name in ["", "memory", "cpu", "cpu,cpuacct", "name=systemd", "rw"] {
            assert_eq!(mount.shows(name), shows.contains(&name), "{name:?} in {line:?}");
        }
    }

    #[test]
    fn cgroup_mounts() {
        check(
            "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate",
            "/sys/fs/cgroup/unified",
            &[""],
            true,
        );
        check(
            "35 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:9 master:1 - cgroup x rw,memory",
            "/sys/fs/cgroup/memory",
            &["memory", "rw"],
            true,
        );
        check(
            "32 31 0:29 /docker/1 /a\\040b\\134c ro - cgroup cgroup rw,cpu,cpuacct",
            "/a b\\c",
            &["cpu", "cpu,cpuacct", "rw"],
            false,
        );
        check(
            "40 31 0:37 / /s rw - cgroup cgroup ro,xattr,release_agent=/x,name=systemd",
            "/s",
            &["name=systemd"],
            false,
        );
        check(
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,memory",
            "/sys/fs/cgroup",
            &[],
            true,
        );
    }

    #[test]
    fn device_numbers_are_those_of_stat() {
        let mounts = parse(b"1 1 259:1048575 / / rw - ext4 /dev/x rw");
        assert_eq!(mounts.list[0].device, makedev(259, 1_048_575));
    }

    #[test]
    fn lines_that_are_none_are_counted() {
        let mounts =
            parse(b"\n1 2 0:1 / /x rw -\n1 2 0:1 / x rw - t s rw\n1 2 3 / /x rw - t s rw\n1 x\n");
        assert_eq!(mounts, Mounts { list: vec![], malformed: 4 });
    }

    #[test]
    fn escapes() {
        for (field, expected) in [
            ("\\040", " "),
            ("\\011\\012\\043", "\t\n#"),
            ("\\04", "\\04"),
            ("\\777", "\\777"),
            ("\\08\\", "\\08\\"),
        ] {
            assert_eq!(unescape(field.as_bytes()), expected.as_bytes(), "{field:?}");
        }
    }

    fn escape(path: &[u8]) -> Vec<u8> {
        let escaped = |byte: &u8| match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{byte:03o}").into_bytes(),
            _ => vec![*byte],
        };
        path.iter().flat_map(escaped).collect()
    }

    /// From the incident's container: its first process sees `/sys/fs/cgroup` read-only, and all
    /// below it is for writing.
    #[test]
    fn a_read_only_folder_of_writable_hierarchies() {
        let mounts =
            parse(include_bytes!("../../../tests/fixtures/incident-hybrid-5.10/init-mountinfo"));
        assert_eq!((mounts.list.len(), mounts.malformed), (26, 0));
        let top = mounts.list.iter().find(|it| it.point.ends_with("sys/fs/cgroup")).unwrap();
        assert!(!top.writable && *top.kind == *b"tmpfs");
        for name in ["", "memory", "cpu,cpuacct", "name=systemd"] {
            let mount = mounts.list.iter().find(|it| it.shows(name)).unwrap();
            assert!(mount.writable && *mount.root == *b"/", "{name}: {mount:?}");
        }
    }

    /// How many mounts a process of a container has, and those of cgroups, and of what they are on,
    /// as `root point kind`, with `rw` if they can be written to.
    #[track_caller]
    fn check_process(capture: &Capture, role: &str, count: usize, expected: &[&str]) {
        let mounts = capture.host().mounts(&capture.pid(role).to_string()).unwrap();
        assert_eq!((mounts.list.len(), mounts.malformed), (count, 0), "{role}");
        let near = mounts.list.iter().filter(|it| it.point.starts_with("/sys/fs/cgroup"));
        let shown = near.map(|mount| {
            let [root, kind] = [&mount.root, &mount.kind].map(|it| str::from_utf8(it).unwrap());
            let rights = if mount.writable { " rw" } else { "" };
            without_ids(&format!("{root} {} {kind}{rights}", mount.point.display()))
        });
        // Each boot mounts them in another order.
        let mut shown: Vec<_> = shown.collect();
        shown.sort();
        assert_eq!(shown, expected, "{role}");
    }

    #[test]
    fn processes_of_dockers_incident() {
        let node = Capture::incident();
        let expected = [
            "/ /sys/fs/cgroup tmpfs",
            "/ /sys/fs/cgroup/blkio cgroup rw",
            "/ /sys/fs/cgroup/cpu,cpuacct cgroup rw",
            "/ /sys/fs/cgroup/cpuset cgroup rw",
            "/ /sys/fs/cgroup/devices cgroup rw",
            "/ /sys/fs/cgroup/freezer cgroup rw",
            "/ /sys/fs/cgroup/hugetlb cgroup rw",
            "/ /sys/fs/cgroup/memory cgroup rw",
            "/ /sys/fs/cgroup/misc cgroup rw",
            "/ /sys/fs/cgroup/net_cls,net_prio cgroup rw",
            "/ /sys/fs/cgroup/perf_event cgroup rw",
            "/ /sys/fs/cgroup/pids cgroup rw",
            "/ /sys/fs/cgroup/rdma cgroup rw",
            "/ /sys/fs/cgroup/systemd cgroup rw",
        ];
        for role in ["init", "service", "executed"] {
            check_process(&node, role, 28, &expected);
        }
    }

    #[test]
    fn processes_of_pods_on_v2() {
        let node = Capture::unfenced();
        let scope = "/kubepods.slice/kubepods-burstable.slice/\
            kubepods-burstable-pod5f3a9c1e_0b7d_4c55_9a42_d3e8f1b2c6a7.slice/\
            cri-containerd-ID.scope";
        for role in ["init", "child", "executed"] {
            check_process(&node, role, 11, &[&format!("{scope} /sys/fs/cgroup cgroup2")]);
        }
        check_process(&node, "agent", 11, &["/ /sys/fs/cgroup cgroup2 rw"]);
        let scope = "/system.slice/docker-ID.scope";
        check_process(&node, "builder", 11, &[&format!("{scope} /sys/fs/cgroup cgroup2 rw")]);
    }

    /// An option of the file system is the same at each of its mounts, whoever set it last.
    #[test]
    fn the_fence_of_a_node_is_there_until_somebody_mounts_without_it() {
        let fenced = |node: &Capture, role: &str| {
            let mounts = node.host().mounts(role).unwrap();
            mounts.list.iter().find(|it| it.shows("")).unwrap().has(b"nsdelegate")
        };
        for (node, expected) in [(Capture::pods(), true), (Capture::unfenced(), false)] {
            assert_eq!(fenced(&node, "1"), expected);
            assert_eq!(fenced(&node, &node.pid("builder").to_string()), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_counted(bytes in any::<Vec<u8>>()) {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            let mounts = parse(&bytes);
            prop_assert_eq!(mounts.list.len() + mounts.malformed, lines);
        }

        #[test]
        fn what_the_kernel_writes_is_what_is_read(
            path in prop::collection::vec(1u8.., 0..32), tags in "([a-z]{1,9}:[0-9] ){0,3}"
        ) {
            let path = [b"/".as_slice(), &path].concat();
            let line = [
                b"5 4 0:7 ".as_slice(), &escape(&path), b" ", &escape(&path), b" rw ",
                tags.as_bytes(),
                b"- cgroup2 none rw,nsdelegate\n",
            ].concat();
            let mounts = parse(&line);
            prop_assert_eq!(mounts.malformed, 0);
            prop_assert_eq!(&*mounts.list[0].root, &path[..]);
            prop_assert_eq!(mounts.list[0].point.as_os_str().as_encoded_bytes(), &path[..]);
            prop_assert!(mounts.list[0].has(b"nsdelegate"));
        }
    }
}
