//! `/proc/PID/cmdline` of the processes that watch over containers: which one each watches.
//!
//! Owns the arguments of containerd's shims and of conmon. Anyone can have such a name and such
//! arguments; what they are worth is decided elsewhere.

use truant_core::ids::Comm;

/// Digits of a container's or a sandbox's id.
const ID_DIGITS: usize = 64;

/// The options that the arguments of a process of this name give a container's id by; none where
/// it is no such process.
pub(super) fn id_options(comm: &Comm) -> Option<[&'static [u8]; 2]> {
    match comm.as_bytes() {
        // The kernel cuts names here: `containerd-shim-runc-v2` and its like.
        b"containerd-shim" => Some([b"-id", b"--id"]),
        b"conmon" | b"conmon-rs" => Some([b"-c", b"--cid"]),
        _ => None,
    }
}

/// The first id that one of the options gives, as `--id ID` or `--id=ID`. Another value than an id
/// is passed over, since names can be the values of other options.
pub(super) fn parse(cmdline: &[u8], options: [&[u8]; 2]) -> Option<String> {
    let mut arguments = cmdline.split(|byte| *byte == 0).peekable();
    while let Some(argument) = arguments.next() {
        let value = options.iter().find_map(|option| match argument.strip_prefix(*option)? {
            [] => arguments.peek().copied(),
            [b'=', value @ ..] => Some(value),
            _ => None,
        });
        if let Some(id) = value.and_then(id) {
            return Some(id);
        }
    }
    None
}

fn id(value: &[u8]) -> Option<String> {
    let is_id = value.len() == ID_DIGITS && value.iter().all(u8::is_ascii_hexdigit);
    is_id.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(comm: &str, arguments: &[&str]) -> Option<String> {
        let cmdline = [arguments, &[""]].concat().join("\0");
        parse(cmdline.as_bytes(), id_options(&Comm::new(comm.as_bytes()))?)
    }

    #[test]
    fn what_runtimes_start() {
        let id = "0123456789abcdef".repeat(4);
        let shim = "/usr/bin/containerd-shim-runc-v2";
        for (comm, arguments) in [
            ("containerd-shim", vec![shim, "-namespace", "k8s.io", "-id", &id, "-address", "/x"]),
            ("containerd-shim", vec![shim, "--id", &id]),
            ("containerd-shim", vec![shim, &format!("--id={id}")]),
            ("containerd-shim", vec![shim, "-id", "short", "--id", &id]),
            ("conmon", vec!["conmon", "--api-version", "1", "-c", &id, "-u", &id, "-n", "x"]),
            ("conmon-rs", vec!["conmonrs", "--cid", &id]),
        ] {
            assert_eq!(of(comm, &arguments), Some(id.clone()), "{arguments:?}");
        }
    }

    #[test]
    fn what_names_no_container() {
        let id = "0123456789abcdef".repeat(4);
        for (comm, arguments) in [
            ("containerd-shim", vec!["x", "-id"]),
            ("containerd-shim", vec!["x", "-id", &id[1..]]),
            ("containerd-shim", vec!["x", "-id", &format!("{id}0")]),
            ("containerd-shim", vec!["x", "-id", &id.replace('0', "g")]),
            ("containerd-shim", vec!["x", "-identity", &id]),
            ("containerd-shim", vec!["x", "-c", &id]),
            ("containerd", vec!["x", "-id", &id]),
            ("conmon2", vec!["x", "-c", &id]),
            ("conmon", vec!["x", "-id", &id]),
            ("conmon", vec![]),
        ] {
            assert_eq!(of(comm, &arguments), None, "{comm} {arguments:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            before in any::<Vec<u8>>(), after in any::<Vec<u8>>(), id in "[0-9a-f]{64}"
        ) {
            let options = id_options(&Comm::new(b"conmon")).unwrap();
            let cmdline = [&before, b"\0--cid\0".as_slice(), &after].concat();
            for bytes in [&before, &cmdline] {
                let found = parse(bytes, options);
                prop_assert!(found.is_none_or(|id| id.len() == ID_DIGITS));
            }
            let cmdline = [&before, b"\0--cid\0".as_slice(), id.as_bytes(), b"\0", &after].concat();
            prop_assert!(parse(&cmdline, options).is_some());
        }
    }
}
