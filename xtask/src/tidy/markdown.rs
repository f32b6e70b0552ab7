//! Rules for Markdown files.

use std::path::Path;

use super::{File, Problem, lines};
use crate::paths;

/// Every relative link leads to a file of the checkout.
pub(super) fn links_resolve(file: &File<'_>) -> Vec<Problem> {
    links_resolve_below(&paths::root(), file)
}

fn links_resolve_below(root: &Path, file: &File<'_>) -> Vec<Problem> {
    if !file.has_extension("md") || file.is_foreign() {
        return Vec::new();
    }
    let at = root.join(file.path);
    let folder = at.parent().unwrap_or(root);
    let mut in_code = false;
    let mut problems = Vec::new();
    for (number, line) in lines(file.text) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let targets = links(line).filter(|_| !in_code);
        for target in targets.filter(|target| !resolves(folder, target)) {
            problems.push(Problem::new(number, format!("the link leads nowhere: {target}")));
        }
    }
    problems
}

/// The targets of the links `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// Whether a target is outside the checkout, in the same file, or there.
fn resolves(folder: &Path, target: &str) -> bool {
    let file = target.split('#').next().unwrap_or_default();
    file.is_empty()
        || file.contains("://")
        || file.starts_with("mailto:")
        || folder.join(file).exists()
}

#[cfg(test)]
mod tests {
    use super::links_resolve_below;
    use crate::tidy::File;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("docs")).expect("a folder in it");
        std::fs::write(root.path().join("there.md"), "").expect("a file in it");
        let text = "[a](../there.md) [b](../there.md#part)\n[c](gone.md)\n\
            [d](https://example.org) [e](#here)\n```\n[f](in-code)\n```\n";
        let file = File { path: "docs/a.md", text };
        let lines: Vec<_> = links_resolve_below(root.path(), &file)
            .into_iter()
            .map(|problem| problem.line)
            .collect();
        assert_eq!(lines, [2]);
    }
}
