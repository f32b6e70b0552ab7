//! The steps of a mixed load, and which comes next. Owns the sizes, which are chosen so that an
//! emulated machine does a hundred steps in about a second.

use std::{fs, io, sync::Barrier, thread};

use fastrand::Rng;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Resource, Rlimit, WaitOptions, setrlimit, waitpid};

use crate::clone;

use super::{
    holdings::{Held, Holdings, PAGE, anonymous},
    raw,
};

/// Bytes of the largest pipe of a swarm.
const BIG_PIPE: usize = 32 << 20;

/// Does so many steps.
pub(super) fn run(steps: u64, rng: &mut Rng, holdings: &mut Holdings) -> io::Result<()> {
    let many = Some(1 << 16);
    setrlimit(Resource::Nofile, Rlimit { current: many, maximum: many })?;
    (0..steps).try_for_each(|_| step(rng, holdings))
}

fn step(rng: &mut Rng, holdings: &mut Holdings) -> io::Result<()> {
    match rng.u8(0..16) {
        0 | 1 => holdings.touch_some(rng),
        2 => touch_and_free(rng),
        3 | 4 => holdings.shrink_one(rng),
        5 => holdings.touch_huge(rng),
        6 => holdings.write_on_tmpfs(rng.u64(1..200)),
        7 => holdings.write_on_ramfs(rng.u64(1..200)),
        8 => holdings.make_files(rng.usize(10..200)),
        9 => holdings.make_pipes(rng.usize(1..16)),
        10 => holdings.make_sockets(rng.usize(1..16)),
        11 => holdings.make_epoll(rng.u64(10..100)),
        12 => fork_wide(rng, holdings),
        13 => fork_deep(rng.u8(2..8), holdings),
        14 => spawn_threads(rng.usize(2..12)),
        _ => {
            holdings.let_go(rng);
            Ok(())
        }
    }
}

/// Makes so many processes, one after the other, each of which charges. The kernel has up to 64
/// pages of a cgroup in stock on each CPU, so it takes more at once to be sure that it charges: the
/// list of pages of a pipe that may hold 32 MiB takes up to 128.
pub(super) fn swarm(processes: u64) -> io::Result<()> {
    fs::write("/proc/sys/fs/pipe-max-size", BIG_PIPE.to_string())?;
    let (reader, _writer) = io::pipe()?;
    let mut stack = anonymous(16 * PAGE)?;
    let mut resized = Ok(0);
    let mut resize = || {
        resized =
            fcntl_setpipe_size(&reader, BIG_PIPE).and_then(|_| fcntl_setpipe_size(&reader, PAGE));
    };
    for _ in 0..processes {
        wait_for(raw::run_elsewhere(&mut resize, &mut stack)?.cast_unsigned())?;
    }
    resized?;
    Ok(())
}

fn touch_and_free(rng: &mut Rng) -> io::Result<()> {
    let mut map = anonymous(rng.usize(1..2048) * PAGE)?;
    map.chunks_mut(PAGE).for_each(|page| page[0] = 1);
    Ok(())
}

/// Processes side by side, each of which gets copies of the memory that it writes to.
fn fork_wide(rng: &mut Rng, holdings: &mut Holdings) -> io::Result<()> {
    let children = (0..rng.usize(2..12))
        .map(|_| clone::fork(None, || write_to_all(holdings)))
        .collect::<io::Result<Vec<_>>>()?;
    children.into_iter().try_for_each(wait_for)
}

/// A chain of processes, each the parent of the next.
fn fork_deep(depth: u8, holdings: &mut Holdings) -> io::Result<()> {
    if depth == 0 {
        return Ok(());
    }
    wait_for(clone::fork(None, || {
        write_to_all(holdings);
        // The chain is as long as the kernel lets it be.
        let _ = fork_deep(depth - 1, holdings);
    })?)
}

/// Writes to every eighth page of all mappings.
fn write_to_all(holdings: &mut Holdings) {
    for held in &mut holdings.held {
        if let Held::Memory(map) = held {
            map.chunks_mut(8 * PAGE).for_each(|pages| pages[0] = 2);
        }
    }
}

/// Threads that are all alive at once, for the stacks that the kernel gives them.
fn spawn_threads(count: usize) -> io::Result<()> {
    let all = Barrier::new(count);
    thread::scope(|scope| {
        (0..count).for_each(|_| drop(scope.spawn(|| all.wait())));
    });
    // What is joined is gone for this process a moment before it is gone from /proc.
    while fs::read_dir("/proc/self/task")?.count() > 1 {
        thread::yield_now();
    }
    Ok(())
}

fn wait_for(pid: u32) -> io::Result<()> {
    waitpid(Pid::from_raw(pid.cast_signed()), WaitOptions::empty())?;
    Ok(())
}
