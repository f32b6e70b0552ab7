//! Lines to inputs.
//!
//! ```text
//! mk CGROUP PATH                     its parents were made before; `scan` without a time
//! name CGROUP NAME | rm CGROUP | free CGROUP
//! seen TASK HIERARCHY=PATH… [by=PARENT] [pid=NS] [mnt=NS] [net=NS] [shim=ID]
//! place TASK HIERARCHY=PATH…         read again
//! container ID [uid=UID] [init=PID] [pod=NAME] [name=NAME]
//! limit CGROUP MEMORY PIDS CPU       `max` for none, `?` where not known
//! hold ID BYTES [DYING] | rss PID BYTES | node TOTAL FREE
//! view PID INIT CGROUPS MOUNT HIERARCHY=ROOT[:ro|:fenced]…   yes or no whether it is in the host's
//!                                    cgroup namespace, and whether it may mount
//! unseen WHAT | audit | kill PID
//! move TASK FROM-ID CGROUP           the whole process; FROM-ID may be `?`; `thread` for one;
//!                                    `move@AT` at another time
//! same COUNT
//! fork PARENT CHILD | born PARENT CHILD FROM-ID TO-ID
//! exec PID NAME | exit TASK
//! charge ID[/PID] +BYTES -BYTES fCOUNT hCOUNT, and more of these after `,`
//! poll ID BYTES
//! skip COUNT
//! recount ID=BYTES… [: charges as above]
//! lost COUNT                         as many events, for want of room in the ring
//! look AT                            when all that had happened by then was told
//! tick | end
//! ```

mod audit;

use std::collections::HashMap;

use truant_core::{
    ids::{Actor, BootTime, CgroupKey, Comm, HierarchyId, Task},
    input::{ChargeDelta, Counter, Input, LossCause, Usage},
};

/// When an audit is: long after tasks were started, unless they say otherwise.
const AUDITED: BootTime = BootTime(100_000_000_000);

/// Who moves tasks.
const MOVER: Actor = Actor { pid: 7, comm: Comm(*b"mover\0\0\0\0\0\0\0\0\0\0\0") };

/// Reads all lines; the line's number is the time.
pub(crate) fn parse(text: &str) -> Vec<Input> {
    let mut ids = HashMap::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let inputs = lines.enumerate().map(|(number, line)| {
        let words: Vec<_> = line.split_whitespace().collect();
        input(BootTime(number as u64 + 1), &words, &mut ids)
    });
    inputs.collect()
}

/// A table: one short arm for each kind of line.
#[expect(clippy::too_many_lines, reason = "one arm for each word of the scenarios")]
fn input(at: BootTime, words: &[&str], ids: &mut HashMap<(HierarchyId, String), u64>) -> Input {
    match *words {
        ["mk", cgroup, path] => made(Some(at), key(cgroup), path, ids),
        ["scan", cgroup, path] => made(None, key(cgroup), path, ids),
        ["name", cgroup, name] => {
            Input::CgroupRenamed { at, key: key(cgroup), name: name.as_bytes().into() }
        }
        ["rm", cgroup] => Input::CgroupRemoved { at, key: key(cgroup) },
        ["free", cgroup] => Input::CgroupReleased { at, key: key(cgroup) },
        ["seen", who, ref rest @ ..] => audit::seen(task(who), rest),
        ["place", who, ref places @ ..] => {
            Input::Placed { task: task(who), places: places.iter().map(place).collect() }
        }
        ["container", id, ref rest @ ..] => audit::container(id, rest),
        ["limit", cgroup, memory, pids, cpu] => audit::limits(key(cgroup), [memory, pids, cpu]),
        ["hold", id, bytes, ref dying @ ..] => audit::held(id, bytes, dying),
        ["rss", pid, bytes] => Input::Resident(vec![(small(pid), number(bytes))]),
        ["node", total, free] => audit::node(number(total), number(free)),
        ["view", pid, init, cgroups, mount, ref mounts @ ..] => {
            audit::view(small(pid), init, [cgroups, mount], mounts)
        }
        ["unseen", what] => audit::unseen(what),
        ["audit"] => Input::Audited { at: AUDITED },
        ["kill", pid] => Input::OomKill { at, pid: small(pid) },
        [verb, who, from, to] if verb.starts_with("move") || verb == "thread" => Input::Moved {
            at: verb.split_once('@').map_or(at, |(_, at)| BootTime(number(at))),
            task: task(who),
            whole_process: verb != "thread",
            from: (from != "?").then(|| number(from)),
            to: key(to),
            mover: MOVER,
        },
        ["same", count] => Input::Unmoved { count: number(count) },
        ["fork", parent, child] => {
            let Task { tgid: parent, tid: parent_tid, .. } = task(parent);
            Input::Forked { at, parent_tid, parent, task: task(child) }
        }
        ["born", parent, child, from, to] => {
            let Task { tgid: pid, tid: parent_tid, comm, .. } = task(parent);
            let (from, to) = (number(from), number(to));
            Input::Born { at, parent_tid, parent: Actor { pid, comm }, task: task(child), from, to }
        }
        ["exec", pid, name] => {
            Input::Exec { at, pid: task(pid).tgid, comm: Comm::new(name.as_bytes()) }
        }
        ["exit", who] => Input::Exited { at, tid: task(who).tid, tgid: task(who).tgid },
        ["charge", ref rest @ ..] => Input::Charges(deltas(rest)),
        ["skip", count] => Input::Skipped { count: number(count) },
        ["recount", ref rest @ ..] => {
            let (counters, during) = rest
                .iter()
                .position(|word| *word == ":")
                .map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 1..]));
            Input::Recounted {
                counters: counters.iter().map(counter).collect(),
                during: deltas(during),
            }
        }
        ["poll", id, bytes] => {
            Input::Polled(vec![Usage { cgroup: number(id), bytes: number(bytes) }])
        }
        ["lost", count] => Input::Lost { cause: LossCause::RingFull, count: number(count) },
        ["look", at] => Input::Looked { at: BootTime(number(at)) },
        ["tick"] => Input::IntervalEnded { at },
        ["end"] => Input::Ended { at },
        _ => panic!("no such line: {words:?}"),
    }
}

fn made(
    at: Option<BootTime>,
    key: CgroupKey,
    path: &str,
    ids: &mut HashMap<(HierarchyId, String), u64>,
) -> Input {
    ids.insert((key.hierarchy, path.to_owned()), key.id);
    if path == "/" {
        return Input::CgroupMade { at, key, parent: None, name: Box::default() };
    }
    let (above, name) = path.rsplit_once('/').expect("a path");
    let above = if above.is_empty() { "/" } else { above };
    // A path whose parent is not named `PATH` yet may name it by number: `#5/name`.
    let parent = match above.strip_prefix('#') {
        Some(id) => number(id),
        None => ids[&(key.hierarchy, above.to_owned())],
    };
    Input::CgroupMade { at, key, parent: Some(parent), name: name.as_bytes().into() }
}

fn place(text: &&str) -> (HierarchyId, Box<[u8]>) {
    let (hierarchy, path) = text.split_once('=').expect("a place");
    (HierarchyId(small(hierarchy)), path.as_bytes().into())
}

/// `PID`, `PID.TID`, and `PID@SECOND` for a start other than the default.
fn task(text: &str) -> Task {
    let (text, start) = text.split_once('@').unwrap_or((text, "1"));
    let (tgid, tid) = text.split_once('.').unwrap_or((text, text));
    let start = BootTime(number(start) * 1_000_000_000);
    Task {
        tid: small(tid),
        tgid: small(tgid),
        start,
        comm: Comm::new(format!("p{tgid}").as_bytes()),
    }
}

fn key(text: &str) -> CgroupKey {
    let (hierarchy, id) = text.split_once(':').expect("a cgroup");
    CgroupKey { hierarchy: HierarchyId(small(hierarchy)), id: number(id) }
}

fn counter(word: &&str) -> Counter {
    let (cgroup, bytes) = word.split_once('=').expect("a counter");
    Counter { cgroup: number(cgroup), bytes: (bytes != "none").then(|| number(bytes)) }
}

fn deltas(words: &[&str]) -> Vec<ChargeDelta> {
    words.split(|word| *word == ",").filter(|words| !words.is_empty()).map(delta).collect()
}

fn delta(words: &[&str]) -> ChargeDelta {
    let (cgroup, pid) =
        words[0].split_once('/').map_or((words[0], None), |(id, pid)| (id, Some(pid)));
    let mut delta =
        ChargeDelta { cgroup: number(cgroup), pid: pid.map(small), ..ChargeDelta::default() };
    for word in &words[1..] {
        let (sign, count) = word.split_at(1);
        *match sign {
            "+" => &mut delta.charged,
            "-" => &mut delta.uncharged,
            "f" => &mut delta.failures,
            "h" => &mut delta.limit_hits,
            _ => panic!("no such sum: {word}"),
        } = number(count);
    }
    delta
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn small(text: &str) -> u32 {
    text.parse().expect("a small number")
}

/// A task that a scan found, of which only its places are known.
pub(crate) fn seen(task: Task, ppid: u32, places: Vec<(HierarchyId, Box<[u8]>)>) -> Input {
    Input::TaskSeen { task, ppid, places, namespaces: None, monitors: None }
}
