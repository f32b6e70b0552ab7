//! What a process does that does as a test tells it. Owns the meaning of each line.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Read as _, Write as _, stdin, stdout},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    sync::mpsc,
    thread,
    time::Duration,
};

use memmap2::MmapMut;
use rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, waitpid};

use crate::{
    clone,
    workload::{self, Held, anonymous},
};

/// What the process has taken, and keeps until it ends.
#[derive(Default)]
struct Kept {
    memory: Vec<MmapMut>,
    work: Vec<Held>,
}

/// Does as told until the input ends.
pub(crate) fn obey() -> ExitCode {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let mut kept = Kept::default();
    // Unbuffered, so that nothing is lost when another program takes over.
    while let Some(line) = read_line() {
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if verb == "quit" {
            break;
        }
        let answer = match act(verb, rest, &mut kept) {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {error}\n"),
        };
        if stdout().write_all(answer.as_bytes()).and_then(|()| stdout().flush()).is_err() {
            break;
        }
        if verb == "exec" {
            let _ = Command::new(rest).exec();
        }
    }
    ExitCode::SUCCESS
}

fn read_line() -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while rustix::io::read(stdin(), &mut byte).ok()? == 1 {
        if byte == *b"\n" {
            return String::from_utf8(line).ok();
        }
        line.push(byte[0]);
    }
    None
}

fn act(verb: &str, rest: &str, kept: &mut Kept) -> io::Result<String> {
    let number = |text: &str| text.parse().unwrap_or_default();
    match verb {
        "threads" => return Ok(start_threads(number(rest))),
        "touch" => kept.memory.push(touched(number(rest))),
        "write" => {
            let (bytes, file) = rest.split_once(' ').unwrap_or_default();
            fs::write(file, vec![1; number(bytes)])?;
        }
        "name" => {
            let name: Vec<u8> = rest.split(' ').filter_map(|byte| byte.parse().ok()).collect();
            rustix::thread::set_name(&CString::new(name)?)?;
        }
        "work" => kept.work.extend(workload::work(rest)?),
        "fork" => return start_process(rest),
        _ => {}
    }
    Ok(String::new())
}

/// Memory that is really there, page by page, and stays in small ones: a huge page that the kernel
/// makes of them is charged to wherever the process is then.
fn touched(bytes: usize) -> MmapMut {
    let mut map = anonymous(bytes).expect("memory can be had");
    map.chunks_mut(4096).for_each(|page| page[0] = 1);
    map
}

fn start_threads(count: usize) -> String {
    let (tell, told) = mpsc::channel();
    for _ in 0..count {
        let tell = tell.clone();
        thread::spawn(move || {
            let _ = tell.send(rustix::thread::gettid().as_raw_nonzero().to_string());
            drop(tell);
            wait();
        });
    }
    drop(tell);
    told.iter().collect::<Vec<_>>().join(" ")
}

fn start_process(rest: &str) -> io::Result<String> {
    let mut words = rest.splitn(3, ' ');
    let then = words.next().unwrap_or_default();
    let bytes = words.next().and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    let into = words.next().filter(|dir| !dir.is_empty());
    let into = into.map(File::open).transpose()?;
    let (mut ready, mut tell) = io::pipe()?;
    let pid = clone::fork(into.as_ref(), || {
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let _memory = touched(bytes);
        let _ = tell.write_all(b"!");
        if then == "wait" {
            wait();
        }
    })?;
    drop(tell);
    ready.read_exact(&mut [0])?;
    if then == "end" {
        let raw = Pid::from_raw(pid.cast_signed());
        waitpid(raw, WaitOptions::empty())?;
    }
    Ok(pid.to_string())
}

fn wait() {
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}
