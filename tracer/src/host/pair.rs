//! Reading with two threads what comes out in one order.
//!
//! Owns the threads and what is on its way between them and whoever takes it. A read of `/proc` is
//! time in the kernel, so a second CPU halves it; more would keep all CPUs of a small node busy.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, Scope},
};

use truant_core::input::Input;

/// How many threads read.
const READERS: usize = 2;

/// Inputs that are handed over together, and how many such hands full one thread may be ahead.
const BATCH: usize = 64;
const AHEAD: usize = 8;

/// What a reading thread says.
enum Word<D> {
    Inputs(Vec<Input>),
    Done(D),
}

/// Calls `read` for each job, and `emit` with all that it says, a job's after that of the job
/// before it, as one thread would; gives what the jobs came to, in their order. `read` runs in
/// threads that were started by the calling one, and so are in its namespaces.
pub(super) fn in_order<J: Sync, D: Send>(
    jobs: &[J],
    read: impl Fn(&J, &mut dyn FnMut(Input)) -> D + Sync,
    emit: &mut dyn FnMut(Input),
) -> Vec<D> {
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS.min(jobs.len())).map(|first| start(scope, jobs, first, &read)).collect();
        let mut done = Vec::with_capacity(jobs.len());
        for (index, job) in jobs.iter().enumerate() {
            let said = readers[index % READERS].as_ref();
            let result = said.and_then(|said| take(said, emit));
            // A node that has no thread left is read by this one.
            done.push(result.unwrap_or_else(|| read(job, emit)));
        }
        done
    })
}

/// Starts a thread that reads every [`READERS`]th job; none where there can be no more threads.
fn start<'scope, J: Sync, D: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    jobs: &'scope [J],
    first: usize,
    read: &'scope (impl Fn(&J, &mut dyn FnMut(Input)) -> D + Sync),
) -> Option<Receiver<Word<D>>> {
    let (sender, receiver) = sync_channel(AHEAD);
    let all = move || {
        for job in jobs.iter().skip(first).step_by(READERS) {
            let done = say(&sender, |emit| read(job, emit));
            // Whoever does not listen any more wants no more.
            if sender.send(Word::Done(done)).is_err() {
                break;
            }
        }
    };
    Builder::new().name("truant-look".to_owned()).spawn_scoped(scope, all).ok().map(|_| receiver)
}

fn say<D>(sender: &SyncSender<Word<D>>, read: impl FnOnce(&mut dyn FnMut(Input)) -> D) -> D {
    let mut inputs = Vec::with_capacity(BATCH);
    let done = read(&mut |input| {
        inputs.push(input);
        if inputs.len() == BATCH {
            let full = std::mem::replace(&mut inputs, Vec::with_capacity(BATCH));
            let _ = sender.send(Word::Inputs(full));
        }
    });
    let _ = sender.send(Word::Inputs(inputs));
    done
}

/// Takes what is said of one job; none where nobody says anything.
fn take<D>(said: &Receiver<Word<D>>, emit: &mut dyn FnMut(Input)) -> Option<D> {
    loop {
        match said.recv().ok()? {
            Word::Inputs(inputs) => inputs.into_iter().for_each(&mut *emit),
            Word::Done(done) => return Some(done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs that say as many inputs as their own number, each with the job's number.
    fn check(jobs: &[u64]) {
        let read = |job: &u64, emit: &mut dyn FnMut(Input)| {
            (0..*job).for_each(|_| emit(Input::Unmoved { count: *job }));
            job * 2
        };
        let mut said = Vec::new();
        let done = in_order(jobs, read, &mut |input| said.push(input));
        let of = |job: &u64| (0..*job).map(|_| Input::Unmoved { count: *job }).collect::<Vec<_>>();
        let expected = jobs.iter().flat_map(of);
        assert_eq!(said, expected.collect::<Vec<_>>());
        assert_eq!(done, jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_said_is_in_the_order_of_the_jobs_however_long_each_takes() {
        for jobs in [&[][..], &[7], &[0, 5], &[2000, 1, 0, 3000, 64, 63, 65, 128, 1]] {
            check(jobs);
        }
    }
}
