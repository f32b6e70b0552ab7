//! What can go wrong around the hooks: how a run ends, what it refuses to begin with, what
//! it leaves as it was, and recordings.

mod ends;
mod kill;
mod options;
mod recordings;
mod refusals;

use std::process::ExitCode;

use truant_tests::{Case, case, everywhere};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    everywhere("robust::kill::nothing_stays", kill::nothing_stays),
    case("robust::ends::an_interrupt_ends_with_a_summary", ends::an_interrupt_ends_with_a_summary),
    case(
        "robust::ends::a_termination_ends_with_a_summary",
        ends::a_termination_ends_with_a_summary,
    ),
    case("robust::ends::a_hangup_ends_with_a_summary", ends::a_hangup_ends_with_a_summary),
    everywhere("robust::ends::the_time_is_over", ends::the_time_is_over),
    case("robust::ends::a_closed_pipe_ends_quietly", ends::a_closed_pipe_ends_quietly),
    case("robust::options::stay_when_the_tree_is_covered", options::stay_when_the_tree_is_covered),
    everywhere("robust::refusals::without_root", refusals::without_root),
    case("robust::refusals::a_guard_that_matches_nothing", refusals::a_guard_that_matches_nothing),
    everywhere("robust::refusals::types_that_are_none", refusals::types_that_are_none),
    case("robust::refusals::a_way_that_is_refused", refusals::a_way_that_is_refused),
    everywhere("robust::refusals::values_that_make_no_sense", refusals::values_that_make_no_sense),
    everywhere(
        "robust::recordings::recordings_that_are_none",
        recordings::recordings_that_are_none,
    ),
    everywhere("robust::recordings::a_file_that_is_there", recordings::a_file_that_is_there),
    case("robust::recordings::a_replay_says_the_same", recordings::a_replay_says_the_same),
    case("robust::recordings::a_recorder_that_was_killed", recordings::a_recorder_that_was_killed),
    case("robust::recordings::a_full_disk", recordings::a_full_disk),
];
