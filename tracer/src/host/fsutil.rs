//! Opening and reading relative to a directory, with buffers that are used again.
//!
//! Owns no knowledge of any file's contents.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    buffer::spare_capacity,
    fs::{Mode, OFlags, RawDir, RawDirEntry, openat},
    io::{Errno, read},
    path::Arg,
};

/// Room for a batch of directory entries: some thousand names in `/proc`.
const ENTRIES: usize = 32 * 1024;

/// A buffer for directory entries.
pub(super) fn entry_buffer() -> Vec<u8> {
    Vec::with_capacity(ENTRIES)
}

/// Opens a directory below `at`. A symbolic link as the last component is refused.
pub(super) fn open_dir(at: impl AsFd, name: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Replaces what is in `buffer` by the whole of a file that the kernel writes in one piece, as most
/// of `/proc` and all of a cgroup that is read here: a read that leaves room has reached the end.
pub(super) fn read_at(at: impl AsFd, name: impl Arg, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let file = openat(at, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.clear();
    loop {
        if buffer.len() == buffer.capacity() {
            buffer.reserve(buffer.len().max(1024));
        }
        match read(&file, spare_capacity(buffer)) {
            Ok(_) if buffer.len() < buffer.capacity() => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Replaces what is in `buffer` by the beginning of a file, at most `limit` bytes of it.
pub(super) fn read_start_at(
    at: impl AsFd,
    name: impl Arg,
    limit: usize,
    buffer: &mut Vec<u8>,
) -> Result<(), Errno> {
    let file = openat(at, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    buffer.clear();
    buffer.reserve(limit);
    while buffer.len() < limit {
        match read(&file, spare_capacity(buffer)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    buffer.truncate(limit);
    Ok(())
}

/// Calls `each` with every entry of a directory, `.` and `..` included.
pub(super) fn for_each_entry(
    dir: impl AsFd,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&RawDirEntry<'_>),
) -> Result<(), Errno> {
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        each(&entry?);
    }
    Ok(())
}

/// Whether an error says that the thing was there and is gone.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::SRCH | Errno::NODEV)
}

/// A number in decimal digits and nothing else.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let text = digits.then(|| str::from_utf8(bytes).ok())??;
    text.parse().ok()
}

/// A number as [`number`], if it fits 32 bits.
pub(super) fn number32(bytes: &[u8]) -> Option<u32> {
    number(bytes)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn a_file_longer_than_the_buffer_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let contents = b"0123456789".repeat(1000);
        fs::write(dir.path().join("long"), &contents).unwrap();
        let mut buffer = Vec::new();
        read_at(CWD, dir.path().join("long"), &mut buffer).unwrap();
        assert_eq!(buffer, contents);
        fs::write(dir.path().join("short"), b"x").unwrap();
        read_at(CWD, dir.path().join("short"), &mut buffer).unwrap();
        assert_eq!(buffer, b"x", "nothing of the file before is left");
    }

    #[test]
    fn of_a_long_file_only_the_beginning_is_read() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("long"), b"0123456789").unwrap();
        let mut buffer = b"more than that".to_vec();
        for (limit, expected) in [(4, "0123"), (10, "0123456789"), (99, "0123456789"), (0, "")] {
            read_start_at(CWD, dir.path().join("long"), limit, &mut buffer).unwrap();
            assert_eq!(buffer, expected.as_bytes());
        }
    }

    #[test]
    fn a_symbolic_link_is_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/", dir.path().join("link")).unwrap();
        assert!(open_dir(CWD, dir.path().join("link")).is_err());
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(number32(b"4294967296"), None);
    }
}
