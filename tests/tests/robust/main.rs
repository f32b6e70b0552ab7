//! What can go wrong around the hooks: how a run ends, what it refuses to begin with, and
//! recordings.

mod ends;
mod recordings;
mod refusals;

use std::process::ExitCode;

use truant_tests::{Case, case, everywhere};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    everywhere("robust::nothing_stays_after_a_kill", ends::nothing_stays_after_a_kill),
    case("robust::an_interrupt_ends_with_a_summary", ends::an_interrupt_ends_with_a_summary),
    case("robust::a_termination_ends_with_a_summary", ends::a_termination_ends_with_a_summary),
    case("robust::a_hangup_ends_with_a_summary", ends::a_hangup_ends_with_a_summary),
    everywhere("robust::the_time_is_over", ends::the_time_is_over),
    case("robust::a_closed_pipe_ends_quietly", ends::a_closed_pipe_ends_quietly),
    everywhere("robust::without_root", refusals::without_root),
    case("robust::a_guard_that_matches_nothing", refusals::a_guard_that_matches_nothing),
    everywhere("robust::types_that_are_none", refusals::types_that_are_none),
    case("robust::a_way_that_is_refused", refusals::a_way_that_is_refused),
    everywhere("robust::values_that_make_no_sense", refusals::values_that_make_no_sense),
    everywhere("robust::recordings_that_are_none", recordings::recordings_that_are_none),
    everywhere("robust::a_file_that_is_there", recordings::a_file_that_is_there),
    case("robust::a_replay_says_the_same", recordings::a_replay_says_the_same),
    case("robust::a_recorder_that_was_killed", recordings::a_recorder_that_was_killed),
    case("robust::a_full_disk", recordings::a_full_disk),
];
