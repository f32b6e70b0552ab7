//! The signals that end the demo early, in good order. Owns no cleaning up: whoever made something
//! takes it away when it is dropped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How soon a signal is noticed.
const TICK: Duration = Duration::from_millis(20);

/// Whether a signal has come.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the signals end nothing by themselves.
    pub(super) fn listen() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&came))
                .context("cannot listen for signals")?;
        }
        Ok(Self(came))
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// If a signal comes.
    pub(super) fn pause(&self, time: Duration) -> Result<()> {
        self.wait_for(time, || false).map(|_| ())
    }

    /// Waits until `is_so`, at most for `time`, and says whether it is.
    ///
    /// # Errors
    /// If a signal comes.
    pub(super) fn wait_for(&self, time: Duration, mut is_so: impl FnMut() -> bool) -> Result<bool> {
        let start = Instant::now();
        while !is_so() {
            if self.0.load(Ordering::Relaxed) {
                bail!("interrupted");
            }
            if start.elapsed() > time {
                return Ok(false);
            }
            thread::sleep(TICK);
        }
        Ok(true)
    }
}
