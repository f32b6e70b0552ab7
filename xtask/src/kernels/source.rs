//! The hooks in the source of the eBPF programs, and the line above each. Owns the syntax of that
//! line; whether it is true is not known here.
//!
//! `// kernel: 5.10 int f(struct_name *, unsigned long)` says that since 5.10 the kernel has that
//! function; `trace name(…)` is a tracepoint. Structures and enumerations go by their bare names.
//! Another form's arguments follow after ` | ` with a version of their own, or with the same where
//! either may be found; `...` as the last argument stands for any more of them.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::{Version, version};
use crate::paths;

/// Where the hooks are, from the root of the checkout.
const PROBES: &str = "tracer-ebpf/src/probes";
/// What opens the line.
const OPENING: &str = "// kernel: ";

/// A hook, and what it relies on.
#[derive(Debug, PartialEq)]
pub(super) struct Hook {
    /// The file, from the root of the checkout.
    pub(super) path: String,
    /// The number of its `// kernel: ` line.
    pub(super) line: usize,
    /// The function or tracepoint.
    pub(super) name: String,
    /// Which of the two it is.
    pub(super) is_tracepoint: bool,
    /// What the line says.
    pub(super) claims: Vec<Claim>,
}

/// A prototype, and the version from which on the kernel has it.
#[derive(Debug, PartialEq)]
pub(super) struct Claim {
    pub(super) since: Version,
    pub(super) prototype: String,
}

/// All hooks.
///
/// # Errors
/// A line that does not have the syntax, or not the name of the hook below it.
pub(super) fn hooks() -> Result<Vec<Hook>> {
    let mut hooks = Vec::new();
    let mut files: Vec<_> = fs::read_dir(paths::root().join(PROBES))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    files.sort_unstable();
    for file in files {
        let path = format!("{PROBES}/{file}");
        hooks.extend(hooks_in(&path, &fs::read_to_string(paths::root().join(&path))?)?);
    }
    if hooks.is_empty() {
        bail!("no hook in {PROBES}");
    }
    Ok(hooks)
}

fn hooks_in(path: &str, text: &str) -> Result<Vec<Hook>> {
    let lines: Vec<_> = text.lines().collect();
    let of = |(at, line): (usize, &&str)| {
        let claims = line.strip_prefix(OPENING)?;
        let hook = hook(path, at + 1, claims, &lines[at + 1..]);
        Some(hook.with_context(|| format!("{path}:{}: no such line is known", at + 1)))
    };
    lines.iter().enumerate().filter_map(of).collect()
}

fn hook(path: &str, line: usize, claims: &str, below: &[&str]) -> Result<Hook> {
    let attribute = below.iter().find(|line| line.starts_with("#[")).context("no hook below")?;
    let name = attribute.split('"').nth(1).context("the hook names no place")?;
    let is_tracepoint = attribute.contains("tracepoint");
    let head = claims.split_once(' ').and_then(|(_, rest)| rest.split('(').next());
    let head = head.context("no prototype")?;
    let (kind, claimed) = head.rsplit_once([' ', '*']).unwrap_or(("", head));
    if claimed != name || (kind == "trace") != is_tracepoint {
        bail!("the line says {head}, the hook {attribute}");
    }
    let claims = claims.split(" | ").map(|text| claim(text, head)).collect::<Result<_>>()?;
    Ok(Hook { path: path.to_owned(), line, name: name.to_owned(), is_tracepoint, claims })
}

/// One form; `head` is what stands before the arguments, in the first one too.
fn claim(text: &str, head: &str) -> Result<Claim> {
    let (since, rest) = text.split_once(' ').context("no prototype")?;
    let since = version(since).with_context(|| format!("{since:?} is no version"))?;
    let arguments = rest.strip_prefix(head).unwrap_or(rest);
    if !arguments.starts_with('(') || !arguments.ends_with(')') {
        bail!("{rest:?} is no prototype");
    }
    Ok(Claim { since, prototype: format!("{head}{arguments}") })
}

#[cfg(test)]
mod tests {
    use super::{Claim, hooks_in};

    #[test]
    fn a_line_belongs_to_the_hook_below_it() {
        let text = "//! Of it.\n\n\
            // kernel: 5.10 trace mark(int) | 6.9 (task_struct *, uid_t)\n\
            /// Docs.\n#[raw_tracepoint(tracepoint = \"mark\")]\nfn f() {}\n";
        let hooks = hooks_in("a.rs", text).unwrap();
        assert_eq!(hooks.len(), 1);
        assert_eq!((hooks[0].line, hooks[0].name.as_str()), (3, "mark"));
        assert!(hooks[0].is_tracepoint);
        let claim = |since, prototype: &str| Claim { since, prototype: prototype.to_owned() };
        let expected =
            [claim((5, 10), "trace mark(int)"), claim((6, 9), "trace mark(task_struct *, uid_t)")];
        assert_eq!(hooks[0].claims, expected);
    }

    #[test]
    fn a_line_that_is_not_the_hooks_is_refused() {
        for (line, hook) in [
            ("5.10 int f(bool)", "#[fentry(function = \"g\")]"),
            ("5.10 int f(bool)", "#[raw_tracepoint(tracepoint = \"f\")]"),
            ("5.10 trace f(bool)", "#[kprobe(function = \"f\")]"),
            ("int f(bool) since 5.10", "#[fentry(function = \"f\")]"),
            ("5.10 int f(bool) | 6.9 int g(bool)", "#[fentry(function = \"f\")]"),
            ("5.10 int f", "#[fentry(function = \"f\")]"),
            ("5.10 int f(bool)", ""),
        ] {
            let text = format!("// kernel: {line}\n{hook}\n");
            assert!(hooks_in("a.rs", &text).is_err(), "{text}");
        }
    }
}
