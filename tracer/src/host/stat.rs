//! `/proc/PID/stat`: who a task is, and whether it is on its way out.
//!
//! Owns the few fields that are used. The name in it is any bytes, parentheses, blanks and line
//! feeds included, so it ends at the last parenthesis; all fields after it are numbers.

use truant_core::ids::Comm;

use super::fsutil::{number, number32};

/// `PF_EXITING` of `task_struct::flags`: its cgroups are no longer to be believed, since v1
/// hierarchies show `/` for such a task.
const PF_EXITING: u64 = 0x4;

/// `PF_KTHREAD`: a thread of the kernel, which has no program.
const PF_KTHREAD: u64 = 0x20_0000;

/// A task.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stat {
    /// Its number in the pid namespace of the procfs.
    pub(super) pid: u32,
    /// Its name: of a kernel thread's longer description, the first 15 bytes.
    pub(super) comm: Comm,
    /// Its parent process; 0 for none.
    pub(super) ppid: u32,
    /// Whether it is exiting, or is dead and waits for its parent.
    pub(super) exiting: bool,
    /// Whether it is a thread of the kernel.
    pub(super) kernel: bool,
    /// How many threads its process has.
    pub(super) threads: u32,
    /// When it was started, in clock ticks since boot, rounded down. It is boot time since
    /// Linux 5.5, shifted by the reader's time namespace.
    pub(super) start_ticks: u64,
}

/// Reads one file's contents; none where they have not the form.
pub(super) fn parse(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')').filter(|close| *close > open)?;
    let pid = number32(bytes[..open].strip_suffix(b" ")?)?;
    let comm = Comm::new(&bytes[open + 1..close]);
    let rest = bytes[close + 1..].strip_prefix(b" ")?.trim_ascii_end();
    let mut fields = rest.split(|byte| *byte == b' ');
    // Fields are numbered as in proc_pid_stat(5), where the first of `rest` is 3.
    let state = fields.next()?;
    let ppid = number32(fields.next()?)?;
    let flags = number(fields.nth(9 - 5)?)?;
    let threads = number32(fields.nth(20 - 10)?)?;
    let start_ticks = number(fields.nth(22 - 21)?)?;
    let exiting = flags & PF_EXITING != 0 || matches!(state, b"Z" | b"X");
    let kernel = flags & PF_KTHREAD != 0;
    Some(Stat { pid, comm, ppid, exiting, kernel, threads, start_ticks })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(pid: u32, comm: &[u8], state: &str, ppid: u32, flags: u64, start: u64) -> Vec<u8> {
        let mut line = format!("{pid} (").into_bytes();
        line.extend_from_slice(comm);
        let rest =
            format!(") {state} {ppid} 7 7 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 3 0 {start} 99 1 2\n");
        line.extend_from_slice(rest.as_bytes());
        line
    }

    #[test]
    fn names_cannot_confuse_it() {
        for comm in [&b"bash"[..], b"", b"a) Z 1 (", b")", b"((", b"x\ny", b"\xff\xfe", b") R 1 1"]
        {
            let stat = parse(&line(12, comm, "S", 5, 0x40_0000, 1234)).unwrap();
            let expected = Stat {
                pid: 12,
                comm: Comm::new(comm),
                ppid: 5,
                exiting: false,
                kernel: false,
                threads: 3,
                start_ticks: 1234,
            };
            assert_eq!(stat, expected, "{comm:?}");
        }
    }

    #[test]
    fn the_dead_and_the_dying() {
        for (state, flags, expected) in [
            ("R", 0, false),
            ("R", PF_EXITING, true),
            ("Z", 0, true),
            ("X", 0, true),
            ("D", !PF_EXITING, false),
        ] {
            let stat = parse(&line(1, b"x", state, 0, flags, 0)).unwrap();
            assert_eq!(stat.exiting, expected, "{state} {flags:#x}");
        }
    }

    #[test]
    fn threads_of_the_kernel() {
        for (flags, expected) in [(0x20_8040, true), (0x40_0100, false), (!PF_KTHREAD, false)] {
            assert_eq!(parse(&line(2, b"x", "S", 0, flags, 0)).unwrap().kernel, expected);
        }
    }

    #[test]
    fn refused() {
        for bytes in [&b""[..], b"1", b"1 (x", b"1 )x(", b"1 (x)", b"1 (x) S", b"x (x) S 1"] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
        let whole = line(1, b"x", "S", 1, 0, 5);
        assert_eq!(parse(&whole[..whole.len() - 14]), None, "cut before its start time");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let tail = [b"1 (".as_slice(), &bytes].concat();
            prop_assert!(parse(&bytes).is_none_or(|_| bytes[0].is_ascii_digit()));
            prop_assert!(parse(&tail).is_none_or(|stat| stat.pid == 1));
        }

        #[test]
        fn what_the_kernel_writes_is_what_is_read(
            pid: u32, comm in prop::collection::vec(1u8.., 0..64), ppid: u32, start: u64
        ) {
            let stat = parse(&line(pid, &comm, "S", ppid, 0, start)).unwrap();
            prop_assert_eq!((stat.pid, stat.ppid, stat.start_ticks), (pid, ppid, start));
            prop_assert_eq!(stat.comm, Comm::new(&comm));
        }
    }
}
