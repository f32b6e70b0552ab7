//! truant's pure core: inputs in, reports out. No clock, no I/O, no view.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod audit;
#[cfg(test)]
mod bounds;
mod engine;
mod episodes;
pub mod facts;
mod findings;
pub mod guard;
mod homes;
pub mod ids;
pub mod input;
mod kills;
mod ledger;
mod losses;
mod moves;
pub mod node;
pub mod path;
mod places;
pub mod report;
mod tasks;
mod tree;

pub use engine::Engine;
