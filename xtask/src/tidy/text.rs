//! Rules for every text file, whatever its language.

use super::{File, Problem, lines};

/// Words that say that something is left to do. Put together here, so that this file passes.
const LOOSE_ENDS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Folders that exist on one machine alone.
const MACHINE_FOLDERS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// No white space at the end of a line, and a line end at the end of the file.
pub(super) fn no_trailing_space(file: &File<'_>) -> Vec<Problem> {
    if file.is_foreign() {
        return Vec::new();
    }
    let mut problems: Vec<_> = lines(file.text)
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(number, _)| Problem::new(number, "white space at the end of the line"))
        .collect();
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        problems
            .push(Problem::new(file.text.lines().count(), "no line end at the end of the file"));
    }
    problems
}

/// No note of what is left to do: that belongs in an issue.
pub(super) fn no_loose_ends(file: &File<'_>) -> Vec<Problem> {
    if file.is_foreign() {
        return Vec::new();
    }
    let is_loose = |word: &str| LOOSE_ENDS.contains(&word);
    let words = |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(is_loose);
    lines(file.text)
        .filter(|(_, line)| words(line))
        .map(|(number, _)| Problem::new(number, "a note of what is left to do"))
        .collect()
}

/// No path of somebody's own machine.
pub(super) fn no_machine_paths(file: &File<'_>) -> Vec<Problem> {
    if file.is_foreign() {
        return Vec::new();
    }
    lines(file.text)
        .filter(|(_, line)| MACHINE_FOLDERS.iter().any(|folder| names_folder(line, folder)))
        .map(|(number, _)| Problem::new(number, "a path of one machine alone"))
        .collect()
}

/// Whether `line` has `folder` at the start of a path, and not inside one as in `/proc/1` +
/// `folder`.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}*>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::{LOOSE_ENDS, MACHINE_FOLDERS, no_loose_ends, no_machine_paths, no_trailing_space};
    use crate::tidy::found;

    #[test]
    fn white_space_at_a_line_end_and_a_missing_last_line_end_are_found() {
        assert_eq!(found(no_trailing_space, "a.md", "one \ntwo\nthree\t\n"), [1, 3]);
        assert_eq!(found(no_trailing_space, "a.md", "one\ntwo"), [2]);
        assert_eq!(found(no_trailing_space, "a.md", "one\ntwo\n"), [0; 0]);
        assert_eq!(found(no_trailing_space, "tests/fixtures/a", "one \n"), [0; 0]);
    }

    #[test]
    fn each_note_of_what_is_left_to_do_is_found_as_a_word() {
        for word in LOOSE_ENDS {
            assert_eq!(found(no_loose_ends, "a.rs", &format!("fine\n// {word}: later\n")), [2]);
            assert_eq!(found(no_loose_ends, "a.rs", &format!("mktemp {word}{word}\n")), [0; 0]);
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found_but_not_a_path_below_another() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(found(no_machine_paths, "a.rs", &format!("open(\"{folder}x\")\n")), [1]);
            assert_eq!(found(no_machine_paths, "a.rs", &format!("/proc/1{folder}sys\n")), [0; 0]);
            assert_eq!(
                found(no_machine_paths, "a.rs", &format!("/proc/{{pid}}{folder}\n")),
                [0; 0]
            );
        }
    }
}
