//! truant's pure core: inputs in, reports out. No clock, no I/O, no view.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ids;
pub mod input;
pub mod path;
pub mod report;
