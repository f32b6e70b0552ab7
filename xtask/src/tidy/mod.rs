//! `tidy`: the house's rules that neither rustfmt nor clippy checks. Owns which files are looked at
//! and how problems are shown; the rules are in the files beside this one.
//!
//! What clippy can check is left to clippy: long functions (`clippy.toml`), `allow` in place of
//! `expect`, an `expect` without its reason.

mod markdown;
mod probes;
mod rust;
mod text;

use std::fs;

use anyhow::{Result, bail};
use xshell::cmd;

use crate::sh;

/// Checks the house's own rules on every file of the checkout
#[derive(clap::Args)]
pub(crate) struct Args {}

/// One file of the checkout, by its path from the root.
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn has_extension(&self, extension: &str) -> bool {
        std::path::Path::new(self.path).extension().is_some_and(|found| found == extension)
    }

    fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether the file is what a program wrote or somebody else's text, whose form is not ours.
    fn is_foreign(&self) -> bool {
        self.path.contains("/fixtures/")
            || self.path.starts_with("LICENSE-")
            || self.has_extension("snap")
            || self.has_extension("lock")
    }
}

/// What a rule found: the line, counted from 1, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    line: usize,
    what: String,
}

impl Problem {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

type Rule = fn(&File<'_>) -> Vec<Problem>;

const RULES: [Rule; 11] = [
    text::no_trailing_space,
    text::no_loose_ends,
    text::no_machine_paths,
    rust::opens_with_docs,
    rust::short_enough,
    rust::no_tabs,
    rust::no_long_lines,
    rust::no_allow,
    rust::core_has_no_std,
    markdown::links_resolve,
    probes::hooks_name_their_prototype,
];

/// Runs the verb.
pub(crate) fn run(_: &Args) -> Result<()> {
    check()?;
    println!("tidy: clean");
    Ok(())
}

/// Checks every file that git knows or would add.
///
/// # Errors
/// Says how many problems there are, after printing each.
pub(crate) fn check() -> Result<()> {
    let sh = sh::at_root()?;
    let list = cmd!(sh, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
    let root = sh.current_dir();
    let mut count = 0;
    for path in list.split_terminator('\0') {
        // A file that is deleted but not yet from the index, a link to a folder, or no text.
        let Ok(text) = fs::read_to_string(root.join(path)) else { continue };
        let file = File { path, text: &text };
        for Problem { line, what } in RULES.iter().flat_map(|rule| rule(&file)) {
            println!("{path}:{line}: {what}");
            count += 1;
        }
    }
    if count > 0 {
        bail!("tidy found {count} problems");
    }
    Ok(())
}

/// The lines of `text`, counted from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

#[cfg(test)]
fn found(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    rule(&File { path, text }).into_iter().map(|problem| problem.line).collect()
}
