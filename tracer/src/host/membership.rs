//! `/proc/PID/cgroup`: the place of a task in each hierarchy.
//!
//! Owns the format. Names and paths stay bytes, because whoever may make a cgroup may choose
//! them. The paths are relative to the reader's cgroup namespace; a line feed cannot be in one.

use truant_core::ids::HierarchyId;

use super::fsutil::number32;

/// One line of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Membership<'a> {
    /// The hierarchy's number, 0 for v2.
    pub(super) hierarchy: HierarchyId,
    /// The controllers and `name=…`, with commas; empty for v2.
    pub(super) name: &'a [u8],
    /// The path, which begins with a slash.
    pub(super) path: &'a [u8],
}

/// The lines of the file; none in place of a line that has not the form of one.
pub(super) fn parse(bytes: &[u8]) -> impl Iterator<Item = Option<Membership<'_>>> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse_line)
}

fn parse_line(line: &[u8]) -> Option<Membership<'_>> {
    let mut fields = line.splitn(3, |byte| *byte == b':');
    let hierarchy = HierarchyId(number32(fields.next()?)?);
    let (name, path) = (fields.next()?, fields.next()?);
    path.starts_with(b"/").then_some(Membership { hierarchy, name, path })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::captures::{Capture, without_ids};

    #[track_caller]
    fn check(line: &[u8], expected: Option<(u32, &[u8], &[u8])>) {
        let expected =
            expected.map(|(id, name, path)| Membership { hierarchy: HierarchyId(id), name, path });
        assert_eq!(parse(line).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn lines() {
        check(b"0::/init.scope\n", Some((0, b"", b"/init.scope")));
        check(b"4:cpu,cpuacct:/a:b\n", Some((4, b"cpu,cpuacct", b"/a:b")));
        check(b"9:name=systemd:/\xff\xfe", Some((9, b"name=systemd", b"/\xff\xfe")));
        check(b"0::/../../other", Some((0, b"", b"/../../other")));
        check(b"0::/gone (deleted)", Some((0, b"", b"/gone (deleted)")));
        check(b"0::relative", None);
        check(b"x::/", None);
        check(b"4294967296::/", None);
        check(b"4:cpu", None);
    }

    /// Where the incident's container had its first process, a service of that, and a command that
    /// was run in it: the controllers that systemd takes along tell another story than the rest.
    #[test]
    fn each_hierarchy_tells_its_own_story() {
        let files: [&[u8]; 3] = [
            include_bytes!("../../../tests/fixtures/incident-hybrid-5.10/init-cgroup"),
            include_bytes!("../../../tests/fixtures/incident-hybrid-5.10/service-cgroup"),
            include_bytes!("../../../tests/fixtures/incident-hybrid-5.10/exec-cgroup"),
        ];
        let places = |file: &'static [u8], name: &str| {
            let mut lines = parse(file).map(Option::unwrap);
            let path = lines.find(|line| line.name == name.as_bytes()).unwrap().path;
            std::str::from_utf8(path).unwrap()
        };
        let pods = |path: &str| path.starts_with("/kubepods/burstable/pod5f3a9c1e-");
        let [init, service, exec] = files;
        let leaky = "/system.slice/containerd.service/system.slice/leaky.service";
        assert_eq!((places(init, "memory"), places(service, "memory")), ("/", leaky));
        assert!(pods(places(exec, "memory")));
        assert!(files.into_iter().all(|file| pods(places(file, "freezer"))));
        assert_eq!(places(exec, ""), "/system.slice/containerd.service");
    }

    /// A process's cgroups: each path with the names of the hierarchies that have it.
    #[track_caller]
    fn check_process(capture: &Capture, role: &str, expected: &[&str]) {
        let file = capture.read(&format!("{role}/cgroup")).unwrap();
        let mut places = BTreeMap::<_, BTreeSet<_>>::new();
        for line in parse(&file).map(Option::unwrap) {
            let [name, path] = [line.name, line.path].map(|it| str::from_utf8(it).unwrap());
            let name = if name.is_empty() { "v2" } else { name };
            places.entry(without_ids(path)).or_default().insert(name.to_owned());
        }
        let line = |(path, names): (&String, &BTreeSet<String>)| {
            format!("{path} {}", names.iter().cloned().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(places.iter().map(line).collect::<Vec<_>>(), expected, "{role}");
    }

    #[test]
    fn processes_of_dockers_incident() {
        let node = Capture::incident();
        let pod = "/kubepods/burstable/pod5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7/ID";
        let left = "blkio cpu,cpuacct cpuset freezer hugetlb net_cls,net_prio perf_event rdma";
        check_process(
            &node,
            "init",
            &["/ misc", "/init.scope devices memory name=systemd pids", &format!("{pod} {left}")],
        );
        let left = "cpuset freezer hugetlb net_cls,net_prio perf_event rdma";
        check_process(
            &node,
            "service",
            &[
                "/ blkio misc",
                &format!("{pod} {left}"),
                "/system.slice cpu,cpuacct",
                "/system.slice/leaky.service devices memory name=systemd pids",
            ],
        );
        let all = "blkio cpu,cpuacct cpuset devices freezer hugetlb memory name=systemd \
            net_cls,net_prio perf_event pids rdma";
        check_process(&node, "executed", &["/ misc", &format!("{pod} {all}")]);
    }

    #[test]
    fn processes_of_pods_on_v2() {
        let node = Capture::unfenced();
        let pod = "/kubepods.slice/kubepods-burstable.slice/\
            kubepods-burstable-pod5f3a9c1e_0b7d_4c55_9a42_d3e8f1b2c6a7.slice";
        for role in ["init", "child", "executed", "agent"] {
            check_process(&node, role, &[&format!("{pod}/cri-containerd-ID.scope v2")]);
        }
        check_process(&node, "builder", &["/system.slice/docker-ID.scope v2"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
            prop_assert_eq!(parse(&bytes).count(), lines);
        }

        #[test]
        fn what_the_kernel_writes_is_what_is_read(
            lines in prop::collection::vec(
                (any::<u32>(), "[a-z,=]{0,20}", "(/[^/\n\0]{1,8}){1,4}"), 0..8
            )
        ) {
            let written = lines.iter().map(|(id, name, path)| format!("{id}:{name}:{path}\n"));
            let text = written.collect::<Vec<_>>().concat();
            let read: Vec<_> = parse(text.as_bytes()).flatten().collect();
            let expected: Vec<_> = lines.iter().map(|(id, name, path)| Membership {
                hierarchy: HierarchyId(*id), name: name.as_bytes(), path: path.as_bytes(),
            }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
