//! The host's end of a guest's serial ports: one socket and one reader for each. Owns that a
//! reader never waits for whoever takes the bytes, so that a slow reader of ours costs memory and
//! never the guest's output; what the bytes mean is the caller's.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};

use anyhow::{Context, Result};

/// A port that waits for QEMU to connect, or is connected.
pub(super) struct Port {
    socket: PathBuf,
    reader: JoinHandle<()>,
}

impl Port {
    /// Listens at `folder/name`. The bytes arrive in order; the end is when QEMU has ended.
    pub(super) fn open(folder: &Path, name: &str) -> Result<(Self, Receiver<Vec<u8>>)> {
        let socket = folder.join(name);
        let listener = UnixListener::bind(&socket)
            .with_context(|| format!("listening at {}", socket.display()))?;
        let (sender, receiver) = channel();
        let reader = spawn(move || {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok((Self { socket, reader }, receiver))
    }

    /// Waits for the last byte. To be called when QEMU has ended: if it never connected, the
    /// connection made here is the one that the reader waits for.
    pub(super) fn close(self) {
        drop(UnixStream::connect(&self.socket));
        // A reader that panicked has said so, and has dropped its end of the channel.
        let _ = self.reader.join();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_port_that_nobody_connected_to_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (port, bytes) = Port::open(folder.path(), "p").unwrap();
        port.close();
        assert_eq!(bytes.iter().count(), 0);
    }

    #[test]
    fn bytes_are_kept_while_nobody_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        let (port, bytes) = Port::open(folder.path(), "p").unwrap();
        let sent: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        UnixStream::connect(folder.path().join("p")).unwrap().write_all(&sent).unwrap();
        port.close();
        assert!(bytes.iter().flatten().eq(sent));
    }
}
