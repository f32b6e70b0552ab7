//! Audits as people see them.

use jiff::tz::TimeZone;
use truant_core::report::{Audit, Report};

use super::super::{COLUMNS, TextOptions, TextSink, line::width};
use crate::output::{
    Sink as _,
    samples::{self, audit},
};

fn shown(audit: Audit) -> String {
    let (mut header, mut both) = (Vec::new(), Vec::new());
    let facts = Report::Header(Box::new(samples::facts()));
    let options = TextOptions { color: false, zone: TimeZone::UTC };
    TextSink::new(&mut header, options.clone()).show(&facts).unwrap();
    let mut sink = TextSink::new(&mut both, options);
    sink.show(&facts).unwrap();
    sink.show(&Report::Audit(Box::new(audit))).unwrap();
    String::from_utf8(both).unwrap().split_off(header.len())
}

#[test]
fn nobody_is_out() {
    insta::assert_snapshot!(shown(audit::nobody()), @r"
12:00:00 audit: nobody is out of any pod
  names from containerd 1.4.13~ds1, cgroupfs cgroup driver
BOOKS  the node uses 3.0 GiB of 64.0 GiB:
       2.0 GiB  in the pods' own cgroups: what their figures show
           0 B  charged outside by tasks of pods: what no pod's figures show
       1.0 GiB  the rest, which is the node's own
");
}

#[test]
fn a_fence_that_is_down_is_the_node_s_to_mend() {
    insta::assert_snapshot!(shown(audit::unfenced()), @r"
12:00:00 audit: nobody is out of any pod; 1 container could get out
  names from containerd 1.4.13~ds1, cgroupfs cgroup driver
COULD GET OUT  default/other (container x): sees the host's cgroup tree, writable, at
     /sys/fs/cgroup; may mount (CAP_SYS_ADMIN)
     what to do: keep the host's /sys/fs/cgroup out of the container, or mount it read-only with all
     that is mounted below it; take CAP_SYS_ADMIN away.
FENCE  v2 is mounted without nsdelegate, so a cgroup namespace keeps nobody in
     what to do: on the node, `mount -o remount,nsdelegate /sys/fs/cgroup` puts it back, and
     memory_recursiveprot likewise, where that is gone too. Some releases of runc take both from the
     whole node with each privileged container that is in the host's cgroup namespace.
BOOKS  the node uses 3.0 GiB of 64.0 GiB:
       2.0 GiB  in the pods' own cgroups: what their figures show
           0 B  charged outside by tasks of pods: what no pod's figures show
       1.0 GiB  the rest, which is the node's own
");
}

#[test]
fn the_incident_is_told_in_one_screen() {
    insta::assert_snapshot!(shown(audit::incident()), @r"
12:00:00 audit: 1 pod is out, with 3 processes; 1 more container could get out
  names from containerd 1.4.13~ds1, cgroupfs cgroup driver
OUT  default/dev-env (container main): 3 processes run outside of their pod, 216 MiB there
     in /system.slice/leaky.service (memory), which holds 206 MiB, since 11:59:11 at the earliest:
       1234 stress-ng-vm   205 MiB resident, started 11:59:11
       1230 stress-ng      1.1 MiB resident, started 11:59:11
     in /init.scope (memory), which holds 9.5 MiB, since 11:59:11 at the earliest:
       1200 systemd   9.0 MiB resident, started 11:59:11
     limits: memory 512 MiB → none; pids 100 → none; cpu 0.5 still holds
     told by: its cgroups in other hierarchies, the runtime, its pid namespace
     inside: 14.1 MiB in the pod's own cgroup: all that its figures show
     how: it sees the host's cgroup tree, writable, at /sys/fs/cgroup/memory, /sys/fs/cgroup/pids
     and 1 more; may mount (CAP_SYS_ADMIN); runs systemd, which makes use of it by itself
     what to do: keep the host's /sys/fs/cgroup out of the container, or lay pods out by the systemd
     cgroup driver, or give them cgroup v2 with nsdelegate and a cgroup namespace of their own; then
     restart the pod. Until then the lost limits hold nobody.
COULD GET OUT  default/other (container x): sees the host's cgroup tree, writable, at
     /sys/fs/cgroup/memory, /sys/fs/cgroup/pids and 1 more; may mount (CAP_SYS_ADMIN); runs systemd,
     which makes use of it by itself
     what to do: keep the host's /sys/fs/cgroup out of the container, or mount it read-only with all
     that is mounted below it; take CAP_SYS_ADMIN away.
DRIVER  /kubepods is laid out by the cgroupfs driver (containerd), but systemd runs this host and
     does not know of it; default/dev-env (container main), default/other (container x) run systemd
     there
     what to do: choose the systemd driver in the kubelet (cgroupDriver: systemd) and in the runtime
     (containerd: SystemdCgroup = true), then drain the node and start its pods anew.
DEAD  33.0 MiB still held by 4 removed cgroups at or below /kubepods/burstable
BOOKS  the node uses 33.5 GiB of 64.0 GiB:
      14.0 GiB  in the pods' own cgroups: what their figures show
       216 MiB  charged outside by tasks of pods: what no pod's figures show
      19.3 GiB  the rest, which is the node's own
");
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn much_is_summed_up_and_doubts_are_said() {
    insta::assert_snapshot!(shown(audit::busy()), @r#"
12:00:00 audit: 2 pods are out, with 23 processes; 2 processes may be too; 2 more containers could
     get out; not all could be seen
  names from containerd 1.4.13~ds1, cgroupfs cgroup driver
  no names from /run/docker.sock: permission denied
OUT  default/dev-env (container main): 3 processes run outside of their pod, 216 MiB there
     in /system.slice/leaky.service (memory), which holds 206 MiB, since 11:59:11 at the earliest:
       1234 stress-ng-vm   205 MiB resident, started 11:59:11
       1230 stress-ng      1.1 MiB resident, started 11:59:11
     in /init.scope (memory), which holds 9.5 MiB, since 11:59:11 at the earliest:
       1200 systemd   9.0 MiB resident, started 11:59:11
     limits: memory 512 MiB → none; pids 100 → none; cpu 0.5 still holds
     told by: its cgroups in other hierarchies, the runtime, its pid namespace
     inside: 14.1 MiB in the pod's own cgroup: all that its figures show
     how: it sees the host's cgroup tree, writable, at /sys/fs/cgroup/memory, /sys/fs/cgroup/pids
     and 1 more; may mount (CAP_SYS_ADMIN); runs systemd, which makes use of it by itself
OUT  pod 7b2e9d10… (container 9f8e7d6c…): 20 processes run outside of their pod, 75.0 MiB resident
     in / (memory), the root cgroup, since 11:59:12 at the earliest:
       2003 worker   8.0 MiB resident, started 11:59:12
       2007 worker   8.0 MiB resident, started 11:59:12
       2011 worker   8.0 MiB resident, started 11:59:12
       2015 worker   8.0 MiB resident, started 11:59:12
       2019 worker   8.0 MiB resident, started 11:59:12
       2002 worker   4.0 MiB resident, started 11:59:12
       2006 worker   4.0 MiB resident, started 11:59:12
       2010 worker   4.0 MiB resident, started 11:59:12
       and 12 more, 23.0 MiB resident
     limits: memory not known → none; pids not known → none
     told by: its cgroups in other hierarchies, the runtime, its pid namespace
     what to do: keep the host's /sys/fs/cgroup out of the container, or lay pods out by the systemd
     cgroup driver, or give them cgroup v2 with nsdelegate and a cgroup namespace of their own; then
     restart the pod. Until then the lost limits hold nobody.
UNSURE  3001 "tmux: server" in /user.slice (memory), maybe of default/dev-env (container main); told
     by its parent, the processes above it
UNSURE  3002 "tmux: server" in /user.slice (memory), maybe of default/dev-env (container main); told
     by its network namespace
COULD GET OUT  default/other (container x): sees the host's cgroup tree, writable, at
     /sys/fs/cgroup/memory, /sys/fs/cgroup/pids and 1 more; may mount (CAP_SYS_ADMIN); runs systemd,
     which makes use of it by itself
COULD GET OUT  container web (9f8e7d6c…): is in the host's cgroup namespace
     what to do: keep the host's /sys/fs/cgroup out of the container, or mount it read-only with all
     that is mounted below it; take CAP_SYS_ADMIN away; give it a cgroup namespace of its own.
DRIVER  /kubepods is laid out by the cgroupfs driver (containerd), but systemd runs this host and
     does not know of it; default/dev-env (container main), default/other (container x) run systemd
     there
     what to do: choose the systemd driver in the kubelet (cgroupDriver: systemd) and in the runtime
     (containerd: SystemdCgroup = true), then drain the node and start its pods anew.
DEAD  33.0 MiB still held by 4 removed cgroups at or below /kubepods/burstable
BOOKS  the node uses 33.5 GiB of 64.0 GiB:
      14.0 GiB  in the pods' own cgroups: what their figures show
       216 MiB  charged outside by tasks of pods: what no pod's figures show
      19.3 GiB  the rest, which is the node's own
NOT SEEN  what the containers of docker are called: /run/docker.sock could not be opened: permission
     denied
     what to do: start truant as root, or name the socket with --runtime-socket
NOT SEEN  the mounts of process 4711: it is in a user namespace of its own
"#);
}

#[test]
fn what_is_not_known_is_not_said() {
    insta::assert_snapshot!(shown(audit::unknown()), @r#"
12:00:00 audit: 1 container is out, with 1 process; 1 process may be too; 1 container could get out;
     not all could be seen
  no runtime gives names: ids instead
OUT  somebody unknown: 1 process runs outside of its container
     in (unknown) (memory), since 11:58:59 at the earliest:
       7     size not known, started 11:58:59
     limits: not known
     what to do: keep the host's /sys/fs/cgroup out of the container, or lay pods out by the systemd
     cgroup driver, or give them cgroup v2 with nsdelegate and a cgroup namespace of their own; then
     restart the pod. Until then the lost limits hold nobody.
UNSURE  7 in (unknown) (memory)
COULD GET OUT  somebody unknown: could get out
     what to do: keep the host's /sys/fs/cgroup out of the container, or mount it read-only with all
     that is mounted below it; take CAP_SYS_ADMIN away; give it a cgroup namespace of its own.
DRIVER  "" is laid out by the cgroupfs driver, but systemd runs this host and does not know of it
     what to do: choose the systemd driver in the kubelet (cgroupDriver: systemd) and in the runtime
     (containerd: SystemdCgroup = true), then drain the node and start its pods anew.
DEAD  0 B still held by removed cgroups at or below (unknown)
NOT SEEN  something: it is not said why
"#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn forged_names_stay_within_their_words() {
    let name = b"x\n\x1b[2JOUT \xe2\x80\xae";
    insta::assert_snapshot!(shown(audit::hostile(name)), @r#"
11:33:32 audit: 1 pod is out, with 1 process; 1 process may be too; not all could be seen
  no names from x\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x…: x\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT…
  no runtime gives names: ids instead
OUT  "x\x…ae"/"x\x…ae" (container "x\x…a…: 1 process runs outside of its pod, 15.9 EiB or more there
     in "…x80\xae" ("x\x0a\x1b[2JOUT \xe2\…"), which holds 15.9 EiB, since 11:33:32 at the earliest:
       4294967295 "x\x0a\x1b[2JOUT \…"  15.9 EiB resident, started 11:33:32
     limits: memory 15.9 EiB still holds; pids 18E → not known; cpu 18P still holds
     told by: the cgroup it was in, its cgroups in other hierarchies, the runtime, its parent, its
     pid namespace, its mount namespace, its cgroup namespace, its network namespace, its IPC
     namespace, the processes above it
     inside: 15.9 EiB in the pod's own cgroup: all that its figures show
     how: it sees a cgroup tree above its own, writable, at "x\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b…", "x\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b…" and 7 more; may mount
     (CAP_SYS_ADMIN); runs systemd, which makes use of it by itself
     what to do: keep the host's /sys/fs/cgroup out of the container, or lay pods out by the systemd
     cgroup driver, or give them cgroup v2 with nsdelegate and a cgroup namespace of their own; then
     restart the pod. Until then the lost limits hold nobody.
UNSURE  4294967295 "x\x0a\x1b[2JOUT \…" in "…ex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xae" ("x\x0a\x1b[2JOUT \…"), maybe of "x\x0a\…0\xae"/"x\x0a\…0\xae" (container
     "x\x0a\…0\xae"); told by the cgroup it was in, its cgroups in other hierarchies, the runtime,
     its parent, its pid namespace, its mount namespace, its cgroup namespace, its network
     namespace, its IPC namespace, the processes above it
DRIVER  "x\x0a\x1b[2JOUT \xe2\x80\xae" is laid out by the cgroupfs driver (x\x0a\x1b[2JOUT \xe…),
     but systemd runs this host and does not know of it; "x\x0a\…0\xae"/"x\x0a\…0\xae" (container
     "x\x0a\…0\xae"), "x\x0a\…0\xae"/"x\x0a\…0\xae" (container "x\x0a\…0\xae") and 7 more run
     systemd there
     what to do: choose the systemd driver in the kubelet (cgroupDriver: systemd) and in the runtime
     (containerd: SystemdCgroup = true), then drain the node and start its pods anew.
DEAD  15.9 EiB still held by 18E removed cgroups at or below "…\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xae"
BOOKS  the node uses 15.9 EiB of 15.9 EiB:
      15.9 EiB  in the pods' own cgroups: what their figures show
      15.9 EiB  charged outside by tasks of pods: what no pod's figures show
           0 B  the rest, which is the node's own
NOT SEEN  x\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT…:
     x\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT…
     what to do: x\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT
     \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT \xe2\x80\xaex\x0a\x1b[2JOUT…
"#);
}

#[test]
fn every_line_fits_and_begins_with_our_own_words() {
    const HEADS: [&str; 10] = [
        "     ",
        "  ",
        "OUT  ",
        "UNSURE  ",
        "COULD GET OUT  ",
        "DRIVER  ",
        "DEAD  ",
        "BOOKS  ",
        "NOT SEEN  ",
        "12:00:00 audit: ",
    ];
    let forged = samples::NASTY.map(audit::hostile);
    for audit in forged.into_iter().chain([audit::incident(), audit::busy(), audit::unknown()]) {
        let ends = audit.at.0 == u64::MAX;
        for line in shown(audit).lines().skip(usize::from(ends)) {
            assert!(width(line) <= COLUMNS, "{} columns: {line}", width(line));
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(HEADS.iter().any(|head| line.starts_with(head)), "{line:?}");
        }
    }
}

#[test]
fn a_container_that_is_out_is_not_said_to_be_able_to() {
    let text = shown(audit::incident());
    let names = text.matches("default/dev-env (container main)").count();
    assert_eq!((names, text.matches("COULD GET OUT  ").count()), (2, 1), "{text}");
}

#[test]
fn what_has_no_end_is_summed_up() {
    let mut audit = audit::busy();
    let [.., last] = audit.pods.as_slice() else { panic!("no pods") };
    audit.pods = vec![last.clone(); 40];
    audit.unsure = vec![audit.unsure[0].clone(); 30];
    audit.exposed = vec![audit.exposed[1].clone(); 50];
    audit.dead = vec![audit.dead[0].clone(); 9];
    audit.unseen = vec![audit.unseen[0].clone(); 20];
    let text = shown(audit);
    for line in [
        "OUT  24 more pods are out, with 480 processes",
        "UNSURE  22 more processes outside",
        "COULD GET OUT  40 more containers",
        "DEAD  165 MiB still held at or below 5 more cgroups",
        "NOT SEEN  8 more",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line:?} in {text}");
    }
    assert!(text.lines().count() < 350, "{text}");
}
