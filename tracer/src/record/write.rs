//! Writes a recording, so that a recorder that is killed leaves one that can be read.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zstd::stream::write::Encoder;

use truant_core::input::Input;

use super::{FORMAT, MAX_LINE, VERSION, WINDOW_LOG, schema};

/// The zstd level: recordings are mostly repetition, and a recorder must not cost much.
const LEVEL: i32 = 3;

/// Why a recording could not be written.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// There is a file already, and it was not asked to go.
    #[error("{} exists already: name another file, or ask for it to be replaced", .0.display())]
    Exists(PathBuf),
    /// The file could not be made.
    #[error("{} could not be made: {cause}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file could not be written on: a full disk, mostly.
    #[error("{} could not be written: {cause}; {}", path.display(), kept(*bytes, *intervals))]
    Write {
        /// The file.
        path: PathBuf,
        /// Bytes that were written before.
        bytes: u64,
        /// Intervals of which all is in these bytes.
        intervals: u64,
        /// Why.
        cause: io::Error,
    },
}

fn kept(bytes: u64, intervals: u64) -> String {
    if bytes == 0 {
        return "nothing was written, so nothing can be replayed".to_owned();
    }
    format!("{bytes} bytes with {intervals} whole intervals are kept and can be replayed")
}

/// Writes inputs to a recording.
///
/// What was written up to the last [`Input::IntervalEnded`] can be read whatever happens to the
/// writer. [`Writer::finish`] writes the rest; a writer that is dropped leaves a recording that
/// ends early.
pub(crate) struct Writer<W: Write> {
    path: PathBuf,
    out: Encoder<'static, Counted<W>>,
    intervals: u64,
}

impl Writer<File> {
    /// Makes the file at `path` and starts a recording in it. A file that is there already is an
    /// error, unless it may be replaced.
    pub(crate) fn create(path: &Path, replace: bool) -> Result<Self, WriteError> {
        let file = if replace { File::create(path) } else { File::create_new(path) };
        let file = file.map_err(|cause| {
            let path = path.to_owned();
            match cause.kind() {
                ErrorKind::AlreadyExists => WriteError::Exists(path),
                _ => WriteError::Create { path, cause },
            }
        })?;
        Self::new(path, file).inspect_err(|_error| {
            // Nothing is in it, and the next try should not find it in its way.
            if !replace {
                let _ = fs::remove_file(path);
            }
        })
    }
}

impl<W: Write> Writer<W> {
    /// Starts a recording in `out`, which errors call `path`.
    pub(crate) fn new(path: &Path, out: W) -> Result<Self, WriteError> {
        let failed = |cause| WriteError::Create { path: path.to_owned(), cause };
        let out = encoder(Counted { out, bytes: 0 }).map_err(failed)?;
        let mut writer = Self { path: path.to_owned(), out, intervals: 0 };
        let header = schema::Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            truant: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let written = writer.line(&header).and_then(|()| writer.out.flush());
        written.map_err(|cause| writer.failed(cause))?;
        Ok(writer)
    }

    /// Appends `input`.
    pub(crate) fn write(&mut self, input: &Input) -> Result<(), WriteError> {
        self.try_write(input).map_err(|cause| self.failed(cause))
    }

    /// Writes what is left and gives the sink back.
    pub(crate) fn finish(self) -> Result<W, WriteError> {
        let Self { path, mut out, intervals } = self;
        match out.do_finish().and_then(|()| out.get_mut().flush()) {
            // The frame is at its end, so that taking the sink out writes nothing.
            Ok(()) => match out.finish() {
                Ok(counted) => Ok(counted.out),
                Err(cause) => Err(WriteError::Create { path, cause }),
            },
            Err(cause) => {
                let bytes = out.get_ref().bytes;
                Err(WriteError::Write { path, bytes, intervals, cause })
            }
        }
    }

    fn try_write(&mut self, input: &Input) -> io::Result<()> {
        self.line(&schema::Input::from(input.clone()))?;
        if matches!(input, Input::IntervalEnded { .. }) {
            self.out.flush()?;
            self.intervals += 1;
        }
        Ok(())
    }

    fn line(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if bytes.len() > MAX_LINE {
            return Err(io::Error::other("an input that is too long for a recording"));
        }
        self.out.write_all(&bytes)
    }

    fn failed(&self, cause: io::Error) -> WriteError {
        WriteError::Write {
            path: self.path.clone(),
            bytes: self.out.get_ref().bytes,
            intervals: self.intervals,
            cause,
        }
    }
}

fn encoder<W: Write>(out: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// Counts the bytes that went through.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
