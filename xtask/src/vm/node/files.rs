//! The files that a node has beyond its packages': what the engines are told, and what systemd does
//! not start. Data alone.

/// A unit of this name is linked there, so that systemd does not start it.
pub(super) const MASK: &str = "/dev/null";

/// Paths in the root, and texts.
pub(super) const FILES: [(&str, &str); 16] = [
    ("etc/hostname", "guest\n"),
    ("etc/hosts", "127.0.0.1 localhost guest\n::1 localhost\n"),
    ("etc/machine-id", "7472756e740000000000000000000001\n"),
    ("etc/fstab", ""),
    ("etc/resolv.conf", ""),
    ("etc/.updated", ""),
    ("var/.updated", ""),
    ("etc/apt/sources.list", ""),
    ("etc/systemd/journald.conf.d/guest.conf", JOURNAL),
    ("etc/docker/daemon.json", DOCKER_CGROUPFS),
    ("etc/docker/cgroupfs.json", DOCKER_CGROUPFS),
    ("etc/docker/systemd.json", DOCKER_SYSTEMD),
    ("etc/containerd/cgroupfs.toml", CONTAINERD_CGROUPFS),
    ("etc/containerd/systemd.toml", CONTAINERD_SYSTEMD),
    ("etc/systemd/system/containerd.service.d/guest.conf", CONTAINERD_UNIT),
    ("etc/systemd/system/docker.service.d/guest.conf", ENGINE_UNIT),
];

/// Units that cost time and that nobody waits for.
pub(super) const MASKED: [&str; 27] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "serial-getty@ttyS0.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
];

const JOURNAL: &str = "[Journal]\nStorage=volatile\nRateLimitBurst=0\n";

/// Offline: no bridge, no packet filter.
const DOCKER_CGROUPFS: &str = r#"{
  "bridge": "none",
  "iptables": false,
  "exec-opts": ["native.cgroupdriver=cgroupfs"]
}
"#;

const DOCKER_SYSTEMD: &str = r#"{
  "bridge": "none",
  "iptables": false,
  "exec-opts": ["native.cgroupdriver=systemd"]
}
"#;

/// What containerd is told, with whether systemd makes the cgroups.
macro_rules! containerd {
    ($systemd:literal) => {
        concat!(
            r#"version = 2
disabled_plugins = []

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "truant/pause:latest"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = "#,
            $systemd,
            "\n",
        )
    };
}

const CONTAINERD_CGROUPFS: &str = containerd!("false");
const CONTAINERD_SYSTEMD: &str = containerd!("true");

/// The modules are loaded, and there is nothing to load them from.
const CONTAINERD_UNIT: &str = "[Service]\nExecStartPre=\nLimitNOFILE=65536\n";

/// Some programs look at every possible file descriptor at their start.
const ENGINE_UNIT: &str = "[Service]\nLimitNOFILE=65536\n";
