//! Reads a recording: any bytes, in bounded memory, without panic.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zstd::stream::read::Decoder;

use truant_core::{
    ids::BootTime,
    input::{Input, LossCause},
};

use super::{FORMAT, MAX_LINE, VERSION, WINDOW_LOG, compat, schema};

/// What a zstd frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Why a recording could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// There is no file, or it may not be read.
    #[error("{} could not be opened: {cause}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is something else.
    #[error("{} is not a recording: `truant record FILE` makes one", .0.display())]
    NotARecording(PathBuf),
    /// It was made by a truant that knows more.
    #[error(
        "{} is a recording of version {version}, and this truant reads up to {VERSION}: replay it \
         with truant {truant} or later",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The truant that made it.
        truant: String,
    },
    /// It is damaged.
    #[error(
        "{} is damaged at line {line}: {why}; copy it again from where it was made, or record anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        why: String,
    },
    /// The file could not be read on.
    #[error("{} could not be read at line {line}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Why.
        cause: io::Error,
    },
}

/// What comes next in a recording.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// An input.
    Input(Input),
    /// Nothing, though the recorder had not ended: the last step.
    EndsEarly(EndsEarly),
}

/// Where a recording ends early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EndsEarly {
    /// The last whole line, from 1.
    pub(crate) line: u64,
    /// The latest time in it.
    pub(crate) at: BootTime,
}

impl EndsEarly {
    /// What the engine is to be told, so that it ends, and not with a clean verdict.
    pub(crate) fn inputs(self) -> [Input; 2] {
        [Input::Lost { cause: LossCause::Malformed, count: 1 }, Input::Ended { at: self.at }]
    }
}

impl fmt::Display for EndsEarly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.0 / 1_000_000_000;
        write!(
            f,
            "the recording ends early, after line {}, {seconds} s after boot: its recorder was \
             killed, or its disk was full, or the copy is cut short",
            self.line
        )
    }
}

/// Reads the inputs of a recording, one by one; ends after the first error.
pub(crate) struct Reader<R> {
    path: PathBuf,
    lines: BufReader<Decoder<'static, BufReader<R>>>,
    version: u32,
    /// The last line that was read, from 1.
    line: u64,
    latest: BootTime,
    state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Reading,
    /// The last input said that it is the last.
    Ended,
    /// Nothing more comes.
    Done,
}

impl Reader<File> {
    /// Opens the recording at `path` and reads its first line.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        match File::open(path) {
            Ok(file) => Self::new(path, file),
            Err(cause) => Err(ReadError::Open { path: path.to_owned(), cause }),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads the first line of the recording in `from`, which errors call `path`.
    pub(crate) fn new(path: &Path, from: R) -> Result<Self, ReadError> {
        let failed = |cause| ReadError::Read { path: path.to_owned(), line: 1, cause };
        let mut from = BufReader::new(from);
        if !from.fill_buf().map_err(failed)?.starts_with(&MAGIC) {
            return Err(ReadError::NotARecording(path.to_owned()));
        }
        let mut decoder = Decoder::with_buffer(from).map_err(failed)?;
        decoder.window_log_max(WINDOW_LOG).map_err(failed)?;
        let mut reader = Self {
            path: path.to_owned(),
            lines: BufReader::new(decoder),
            version: VERSION,
            line: 0,
            latest: BootTime(0),
            state: State::Reading,
        };
        reader.version = reader.header()?;
        Ok(reader)
    }

    /// Reads the first line: only what newer versions are sure to have too.
    fn header(&mut self) -> Result<u32, ReadError> {
        let line = match self.next_line() {
            Err(error @ ReadError::Read { .. }) => return Err(error),
            line => line.ok().flatten().unwrap_or_default(),
        };
        match serde_json::from_slice::<schema::Header>(&line) {
            Ok(header) if header.format != FORMAT || header.version == 0 => {
                Err(ReadError::NotARecording(self.path.clone()))
            }
            Ok(schema::Header { version, truant, .. }) if version > VERSION => {
                // The name is a stranger's, and goes to a terminal.
                let truant = crate::output::escape::escape(truant.as_bytes());
                Err(ReadError::Newer { path: self.path.clone(), version, truant })
            }
            Ok(header) => Ok(header.version),
            Err(_) => Err(ReadError::NotARecording(self.path.clone())),
        }
    }

    /// The next whole line without its end; none where there is no more.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE as u64;
        match (&mut self.lines).take(limit).read_until(b'\n', &mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(cause) if cause.raw_os_error().is_some() => {
                let (path, line) = (self.path.clone(), self.line + 1);
                return Err(ReadError::Read { path, line, cause });
            }
            Err(error) => return Err(self.damaged(&error)),
            Ok(_) => {}
        }
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            self.line += 1;
            return Ok(Some(bytes));
        }
        if bytes.len() == MAX_LINE { Err(self.damaged(&"it has no end")) } else { Ok(None) }
    }

    fn damaged(&self, why: &dyn fmt::Display) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), line: self.line + 1, why: why.to_string() }
    }

    fn step(&mut self) -> Result<Option<Step>, ReadError> {
        let before = self.line;
        let Some(line) = self.next_line()? else { return Ok(self.end()) };
        // From here on, the line that `damaged` names is the one just read.
        self.line = before;
        if self.state == State::Ended {
            return Err(self.damaged(&"something follows the end"));
        }
        let input = compat::parse(self.version, &line).map_err(|error| self.damaged(&error))?;
        self.line += 1;
        let input = Input::from(input);
        self.latest = self.latest.max(input.at().unwrap_or_default());
        if matches!(input, Input::Ended { .. }) {
            self.state = State::Ended;
        }
        Ok(Some(Step::Input(input)))
    }

    fn end(&mut self) -> Option<Step> {
        let ended = self.state == State::Ended;
        self.state = State::Done;
        let early = EndsEarly { line: self.line, at: self.latest };
        (!ended).then_some(Step::EndsEarly(early))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Step, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        let step = self.step().transpose();
        if !matches!(step, Some(Ok(Step::Input(_)))) {
            self.state = State::Done;
        }
        step
    }
}
