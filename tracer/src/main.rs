//! Placeholder until the first verb lands.

mod output;
mod record;

fn main() {}
