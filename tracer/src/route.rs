//! The one way of an input: into the recording, through the engine, and out as reports.
//!
//! Live and replayed inputs take it alike. Owns what becomes of an output that fails.

use std::{
    fs::File,
    io::{self, ErrorKind},
};

use truant_core::{
    Engine,
    input::Input,
    report::{Report, Verdict},
};

use crate::{
    output::Sink,
    record::{WriteError, Writer},
};

/// Why no more inputs are wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Whoever read the output has gone: an end like any other.
    #[error("the reader of the output has gone")]
    ReaderGone,
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl Stop {
    /// What an output's failure means.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Output(error),
        }
    }
}

/// The engine between its recorder and its sink.
pub(crate) struct Route {
    engine: Engine,
    sink: Box<dyn Sink>,
    recorder: Option<Writer<File>>,
    failed: Option<WriteError>,
    verdict: Option<Verdict>,
    reports: Vec<Report>,
}

impl Route {
    /// A way that ends in `sink`, and in a recording if one is asked for.
    pub(crate) fn new(sink: Box<dyn Sink>, recorder: Option<Writer<File>>) -> Self {
        let engine = Engine::new();
        Self { engine, sink, recorder, failed: None, verdict: None, reports: Vec::new() }
    }

    /// What the engine knows by now.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes one input. A recording that fails is given up, said at once, and remembered: what is
    /// seen live is worth more than its copy.
    ///
    /// # Errors
    /// If the reports can go nowhere.
    pub(crate) fn feed(&mut self, input: Input) -> Result<(), Stop> {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.write(&input)
        {
            self.recorder = None;
            self.give_up(error);
        }
        self.engine.feed(input, &mut self.reports);
        for report in self.reports.drain(..) {
            if let Report::Summary(summary) = &report {
                self.verdict = Some(summary.verdict);
            }
            self.sink.show(&report).map_err(Stop::of)?;
        }
        Ok(())
    }

    /// Ends the recording, and says what the run came to, if it came to an end.
    ///
    /// # Errors
    /// If the recording is not whole.
    pub(crate) fn finish(mut self) -> Result<Option<Verdict>, WriteError> {
        if let Some(recorder) = self.recorder.take()
            && let Err(error) = recorder.finish()
        {
            self.give_up(error);
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.verdict),
        }
    }

    fn give_up(&mut self, error: WriteError) {
        log::error!("{error}; going on without the recording");
        self.failed = Some(error);
    }
}
