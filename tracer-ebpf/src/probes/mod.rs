//! One file per hook, or per entry and return of one.
//!
//! A program's name is the way and the hook, so that userspace names what it could not load.

mod attach;
mod charge;
mod charge_state;
mod exec;
mod exit;
mod fork;
mod lifecycle;
mod oom;
