//! QEMU's command line for a guest, as data. Owns the machine, the kernel's parameters and which
//! port carries what; starting and watching the process is not done here.

use std::path::{Path, PathBuf};

use super::initramfs::Cgroup;

/// The program; in Debian's `qemu-system-x86`.
pub(super) const PROGRAM: &str = "qemu-system-x86_64";

/// The serial ports, in the guest's order, by the name of the socket that each is connected to.
pub(super) const SERIAL: [&str; 2] = ["console", "status"];

/// The virtio ports, likewise; the guest numbers them from one.
pub(super) const VIRTIO: [&str; 2] = ["stdout", "stderr"];

/// The emulated CPU of a guest that counts. With fast string instructions the kernel clears memory
/// byte by byte, and the emulator counts an instruction for each: half of a page fault would be
/// that, and whatever else it costs would look small.
const COUNTED_CPU: &str = "max,erms=off,fsrm=off";

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accel {
    Kvm,
    /// Emulation, all CPUs in one thread: with a thread for each, a CPU now and then runs what
    /// another has just patched away, and tracing patches the kernel's code at each start.
    Tcg,
    /// Emulation with a clock that counts instructions; one CPU.
    Icount,
}

/// What the guest boots into.
#[derive(Clone, Debug)]
pub(super) enum Root {
    Initramfs(PathBuf),
    /// A disk image with systemd on it, which lays the cgroup tree out itself.
    Disk {
        initramfs: PathBuf,
        image: PathBuf,
        /// Whether what is written to the disk stays. Otherwise it is forgotten, so that all runs,
        /// and several at once, have the same disk.
        is_kept: bool,
        cgroup: Cgroup,
    },
}

/// All that QEMU has to know.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) kernel: PathBuf,
    pub(super) root: Root,
    pub(super) accel: Accel,
    pub(super) smp: u32,
    /// In QEMU's notation.
    pub(super) mem: String,
}

/// QEMU's arguments. The ports' sockets are expected in `sockets`, listening.
pub(super) fn arguments(machine: &Machine, sockets: &Path) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "pc"]);
    match machine.accel {
        Accel::Kvm => add(&["-accel", "kvm", "-cpu", "host"]),
        Accel::Tcg => add(&["-accel", "tcg,thread=single", "-cpu", "max"]),
        Accel::Icount => {
            add(&["-accel", "tcg", "-cpu", COUNTED_CPU, "-icount", "shift=0,sleep=off"]);
        }
    }
    let smp = if machine.accel == Accel::Icount { 1 } else { machine.smp };
    add(&["-smp", &smp.to_string(), "-m", &machine.mem]);
    add(&["-kernel", &machine.kernel.to_string_lossy(), "-append", &parameters(machine)]);
    let (Root::Initramfs(initramfs) | Root::Disk { initramfs, .. }) = &machine.root;
    add(&["-initrd", &initramfs.to_string_lossy()]);
    let socket = |port: &str| format!("socket,id={port},path={}", sockets.join(port).display());
    for port in SERIAL {
        add(&["-chardev", &socket(port), "-serial", &format!("chardev:{port}")]);
    }
    add(&["-device", "virtio-serial-pci,disable-legacy=on,vectors=2"]);
    for (port, number) in VIRTIO.iter().zip(1..) {
        let device = format!("virtserialport,chardev={port},nr={number}");
        add(&["-chardev", &socket(port), "-device", &device]);
    }
    // After the ports, which the guest calls by the number of their device.
    if let Root::Disk { image, is_kept, .. } = &machine.root {
        // In QEMU's notation a comma in a value is written twice.
        let image = image.to_string_lossy().replace(',', ",,");
        let snapshot = if *is_kept { "off" } else { "on" };
        let drive = format!("if=none,id=disk,format=raw,snapshot={snapshot},cache=unsafe");
        add(&["-drive", &format!("{drive},file={image}")]);
        add(&["-device", "virtio-blk-pci,disable-legacy=on,drive=disk"]);
    }
    arguments
}

/// The kernel's command line: quiet, because each console byte is an exit of the emulator; an oops
/// is a failure; memory+swap is counted on 5.10 too; and an overloaded host is not the guest's
/// fault.
fn parameters(machine: &Machine) -> String {
    let mut parameters = "console=ttyS0 quiet panic=-1 oops=panic swapaccount=1 nowatchdog \
         no_timer_check rcupdate.rcu_cpu_stall_suppress=1 random.trust_cpu=on"
        .to_owned();
    if machine.accel == Accel::Icount {
        // A layout of its own, of the kernel for each boot and of memory for each process, would
        // show in the figures: what a fork takes depends on how many page tables there are.
        parameters += " nokaslr norandmaps";
    }
    if let Root::Disk { cgroup, .. } = machine.root {
        parameters += " apparmor=0 ";
        parameters += systemd_parameters(cgroup);
    }
    parameters
}

/// What tells systemd how to lay the cgroup tree out; from 256 on it wants to be told twice.
fn systemd_parameters(cgroup: Cgroup) -> &'static str {
    match cgroup {
        Cgroup::V1 => {
            "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 \
             SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
        }
        Cgroup::Hybrid => {
            "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0 \
             SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
        }
        Cgroup::V2 => "systemd.unified_cgroup_hierarchy=1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(accel: Accel) -> String {
        line_of(accel, Root::Initramfs("/t/initramfs".into()))
    }

    fn line_of(accel: Accel, root: Root) -> String {
        let machine = Machine { kernel: "/k".into(), root, accel, smp: 3, mem: "1G".into() };
        arguments(&machine, Path::new("/t")).join(" ")
    }

    #[test]
    fn emulation_has_all_cpus() {
        let line = line(Accel::Tcg);
        assert!(line.contains("-accel tcg,thread=single -cpu max -smp 3 -m 1G"), "{line}");
        assert!(line.contains("-initrd /t/initramfs"), "{line}");
        assert!(!line.contains("icount") && !line.contains("nokaslr"), "{line}");
    }

    #[test]
    fn counting_instructions_takes_one_cpu_and_a_fixed_layout() {
        let line = line(Accel::Icount);
        assert!(line.contains("-icount shift=0,sleep=off -smp 1"), "{line}");
        assert!(line.contains("nokaslr") && line.contains("erms=off"), "{line}");
    }

    #[test]
    fn a_disk_is_not_written_to_and_systemd_is_told_the_layout() {
        let disk = |cgroup| Root::Disk {
            initramfs: "/t/initramfs".into(),
            image: "/c/a,b.ext4".into(),
            is_kept: false,
            cgroup,
        };
        let line = |cgroup| line_of(Accel::Tcg, disk(cgroup));
        let v1 = line(Cgroup::V1);
        assert!(v1.contains("snapshot=on") && v1.contains("file=/c/a,,b.ext4 -device"), "{v1}");
        assert!(v1.find("virtio-serial-pci") < v1.find("virtio-blk-pci"), "{v1}");
        assert!(v1.contains("swapaccount=1") && v1.contains("apparmor=0"), "{v1}");
        assert!(v1.contains("unified_cgroup_hierarchy=0"), "{v1}");
        assert!(v1.contains("legacy_systemd_cgroup_controller=1"), "{v1}");
        let hybrid = line(Cgroup::Hybrid);
        assert!(hybrid.contains("legacy_systemd_cgroup_controller=0"), "{hybrid}");
        assert!(hybrid.contains("LEGACY_FORCE=1"), "{hybrid}");
        let v2 = line(Cgroup::V2);
        assert!(v2.contains("unified_cgroup_hierarchy=1") && !v2.contains("FORCE"), "{v2}");
    }

    #[test]
    fn the_ports_are_in_the_order_in_which_the_guest_numbers_them() {
        let line = line(Accel::Kvm);
        let at = |words: &str| line.find(words).unwrap();
        assert!(at("-serial chardev:console") < at("-serial chardev:status"), "{line}");
        assert!(
            line.contains("path=/t/stdout -device virtserialport,chardev=stdout,nr=1"),
            "{line}"
        );
        assert!(
            line.contains("path=/t/stderr -device virtserialport,chardev=stderr,nr=2"),
            "{line}"
        );
    }
}
