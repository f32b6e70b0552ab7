//! What a program takes, as the kernel counts it. Owns the one system call that tells it.
#![expect(unsafe_code, reason = "wait4 is what tells of one child, and has no safe form")]

use std::{
    fs::File,
    io::Read as _,
    mem::MaybeUninit,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// A program that ran to its end.
pub(super) struct Ran {
    /// From its start to its end.
    pub(super) wall: Duration,
    /// CPU time of all its threads.
    pub(super) cpu: Duration,
    /// The most memory that was resident, in KiB.
    pub(super) peak_kib: u64,
    /// What it said of itself.
    pub(super) stderr: String,
}

/// Runs a program to its end, whatever its status; its output is thrown away.
///
/// # Errors
/// If it cannot be started, or was killed.
pub(super) fn run(command: &mut Command) -> Result<Ran> {
    let name = command.get_program().display().to_string();
    let stderr = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr.reopen()?);
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: the pointers are to values of this function's own, and the child is waited for here
    // alone: dropping its handle does not.
    let ended =
        unsafe { libc::wait4(child.id().cast_signed(), &raw mut status, 0, usage.as_mut_ptr()) };
    let wall = start.elapsed();
    if ended < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot wait for it");
    }
    // SAFETY: all zeroes is a `rusage`, and the call has filled it.
    let usage = unsafe { usage.assume_init() };
    let mut said = String::new();
    File::open(stderr.path())?.read_to_string(&mut said)?;
    if libc::WIFSIGNALED(status) {
        bail!("{name} was killed; it said: {}", said.trim());
    }
    let cpu = time(usage.ru_utime) + time(usage.ru_stime);
    let peak_kib = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    Ok(Ran { wall, cpu, peak_kib, stderr: said })
}

fn time(time: libc::timeval) -> Duration {
    let [seconds, micros] = [time.tv_sec, time.tv_usec].map(|it| u64::try_from(it).unwrap_or(0));
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_and_takes_is_told() {
        let mut command = Command::new("sh");
        let ran = run(command
            .args(["-c", "echo so >&2; i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done; exit 3"]));
        let ran = ran.unwrap();
        assert_eq!(ran.stderr, "so\n");
        assert!(ran.cpu > Duration::ZERO && ran.cpu <= ran.wall * 2 && ran.peak_kib > 100);
    }

    #[test]
    fn who_was_killed_has_no_figures() {
        let killed = run(Command::new("sh").args(["-c", "kill -9 $$"]));
        assert!(killed.err().unwrap().to_string().contains("was killed"));
    }
}
