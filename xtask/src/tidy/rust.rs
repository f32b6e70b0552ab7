//! Rules for Rust files.

use super::{File, Problem, lines};

/// Lines above which a file says why.
const LONG_FILE: usize = 400;
/// Characters in a line.
const LONG_LINE: usize = 100;
/// What a long file says of itself, with the reason after it.
const LONG_BECAUSE: &str = "// tidy: long because ";

/// A module opens by saying what it owns and what it does not.
pub(super) fn opens_with_docs(file: &File<'_>) -> Vec<Problem> {
    if !file.is_rust() || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![Problem::new(1, "does not open with `//!`")]
}

/// A file has one concern, or says why it is long.
pub(super) fn short_enough(file: &File<'_>) -> Vec<Problem> {
    let count = file.text.lines().count();
    if !file.is_rust() || count <= LONG_FILE || file.text.contains(LONG_BECAUSE) {
        return Vec::new();
    }
    vec![Problem::new(count, format!("more than {LONG_FILE} lines, and no `{LONG_BECAUSE}…`"))]
}

/// Tabs have no width of their own.
pub(super) fn no_tabs(file: &File<'_>) -> Vec<Problem> {
    rust_lines(file, |line| line.contains('\t'), "a tab")
}

/// No line is wider than a screen, unless an address in it makes it so. rustfmt does not break
/// strings and comments.
pub(super) fn no_long_lines(file: &File<'_>) -> Vec<Problem> {
    let is_long = |line: &str| line.chars().count() > LONG_LINE && !line.contains("://");
    rust_lines(file, is_long, "more than 100 characters")
}

/// `expect` goes away with what it excuses, `allow` does not.
pub(super) fn no_allow(file: &File<'_>) -> Vec<Problem> {
    let is_allow = |line: &str| {
        ["#[allow(", "#![allow("].iter().any(|start| line.trim_start().starts_with(start))
    };
    rust_lines(file, is_allow, "`allow` where `expect` with a reason is meant")
}

/// The core is `no_std`, and nothing but its tests brings `std` back.
pub(super) fn core_has_no_std(file: &File<'_>) -> Vec<Problem> {
    let Some(inside) = file.path.strip_prefix("tracer/core/src/") else { return Vec::new() };
    let is_declared = ["#![no_std]", "#![cfg_attr(not(test), no_std)]"]
        .iter()
        .any(|attribute| file.text.lines().any(|line| line == *attribute));
    if inside == "lib.rs" && !is_declared {
        return vec![Problem::new(1, "the core is not `no_std`")];
    }
    let mut before = "";
    let mut problems = Vec::new();
    for (number, line) in lines(file.text) {
        if line.trim_start().starts_with("extern crate std") && before.trim() != "#[cfg(test)]" {
            problems.push(Problem::new(number, "the core takes `std` back outside its tests"));
        }
        before = line;
    }
    problems
}

fn rust_lines(file: &File<'_>, is_bad: impl Fn(&str) -> bool, what: &str) -> Vec<Problem> {
    if !file.is_rust() {
        return Vec::new();
    }
    lines(file.text)
        .filter(|(_, line)| is_bad(line))
        .map(|(number, _)| Problem::new(number, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        LONG_BECAUSE, core_has_no_std, no_allow, no_long_lines, no_tabs, opens_with_docs,
        short_enough,
    };
    use crate::tidy::found;

    #[test]
    fn a_module_without_its_opening_is_found() {
        assert_eq!(found(opens_with_docs, "a.rs", "use std::fs;\n"), [1]);
        assert_eq!(found(opens_with_docs, "a.rs", "//! Owns a.\n"), [0; 0]);
        assert_eq!(found(opens_with_docs, "a.md", "# A\n"), [0; 0]);
    }

    #[test]
    fn a_long_file_is_found_unless_it_says_why() {
        let long = "x\n".repeat(401);
        assert_eq!(found(short_enough, "a.rs", &long), [401]);
        assert_eq!(found(short_enough, "a.rs", &format!("{LONG_BECAUSE}of x\n{long}")), [0; 0]);
        assert_eq!(found(short_enough, "a.rs", &"x\n".repeat(400)), [0; 0]);
    }

    #[test]
    fn a_tab_is_found() {
        assert_eq!(found(no_tabs, "a.rs", "a\n\tb\n"), [2]);
    }

    #[test]
    fn a_long_line_is_found_by_characters_unless_it_holds_an_address() {
        assert_eq!(found(no_long_lines, "a.rs", &"x".repeat(101)), [1]);
        assert_eq!(found(no_long_lines, "a.rs", &"é".repeat(100)), [0; 0]);
        assert_eq!(
            found(no_long_lines, "a.rs", &format!("// https://{}", "x".repeat(100))),
            [0; 0]
        );
    }

    #[test]
    fn an_allow_is_found_at_items_and_at_crates() {
        assert_eq!(found(no_allow, "a.rs", "#[allow(dead_code)]\n#![allow(x)]\n"), [1, 2]);
        assert_eq!(found(no_allow, "a.rs", "#[expect(dead_code, reason = \"r\")]\n"), [0; 0]);
    }

    #[test]
    fn a_core_with_std_is_found() {
        let lib = "tracer/core/src/lib.rs";
        assert_eq!(found(core_has_no_std, lib, "//! Core.\n"), [1]);
        assert_eq!(found(core_has_no_std, lib, "#![no_std]\nextern crate std;\n"), [2]);
        let tests_only = "#![no_std]\n#[cfg(test)]\nextern crate std;\n";
        assert_eq!(found(core_has_no_std, lib, tests_only), [0; 0]);
        assert_eq!(found(core_has_no_std, "tracer/src/main.rs", "extern crate std;\n"), [0; 0]);
    }
}
