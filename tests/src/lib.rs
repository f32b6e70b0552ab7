//! What tests of truant on a real kernel share: a list of cases that can say why they did not
//! run, cgroups of their own, processes that do as told, and a run of truant to look at.
//!
//! Owns no test. A test binary is a file below `tests`; it is also the program of the processes
//! that it starts, so that a guest needs no other file.

pub mod cgroups;
pub mod child;
pub mod clone;
pub mod cri;
pub mod engines;
pub mod lines;
pub mod mounts;
pub mod namespace;
pub mod node;
pub mod procs;
pub mod recording;
pub mod suite;
pub mod watch;
pub mod workload;

pub use self::{
    cgroups::{Cgroup, Cgroups},
    child::Child,
    lines::Lines,
    mounts::Mount,
    node::Hierarchy,
    suite::{Case, Ran, Unmet, case, everywhere, main, say},
    watch::{Watch, truant},
};
