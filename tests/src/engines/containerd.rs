//! containerd, as a kubelet uses it.

use std::{fs, os::unix::fs::symlink};

use crate::cri::{CONTAINERD, Cri};

use super::{Driver, run};

const CONFIG: &str = "/etc/containerd/config.toml";

/// containerd with this cgroup driver, started anew.
///
/// # Panics
/// If it does not start.
pub fn containerd(driver: Driver) -> Cri {
    let target = format!("{}.toml", driver.name());
    if fs::read_link(CONFIG).is_ok_and(|now| now.as_os_str() == &*target) {
        run("systemctl", ["start", "containerd"]);
    } else {
        let _ = fs::remove_file(CONFIG);
        symlink(target, CONFIG).expect("its configuration can be changed");
        run("systemctl", ["restart", "containerd"]);
    }
    Cri::connect(CONTAINERD).expect("containerd answers")
}

/// The cgroup that a kubelet names for a pod of this class of service (`burstable`, `besteffort`,
/// or nothing for guaranteed), in the way of the driver.
pub fn cgroup_parent(driver: Driver, class: &str, uid: &str) -> String {
    match (driver, class) {
        (Driver::Cgroupfs, "") => format!("/kubepods/pod{uid}"),
        (Driver::Cgroupfs, class) => format!("/kubepods/{class}/pod{uid}"),
        (Driver::Systemd, class) => {
            let uid = uid.replace('-', "_");
            let class = if class.is_empty() { String::new() } else { format!("-{class}") };
            format!("kubepods{class}-pod{uid}.slice")
        }
    }
}
