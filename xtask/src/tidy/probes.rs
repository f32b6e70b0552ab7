//! Rules for the eBPF probes.

use super::{File, Problem};

/// The attributes that make a function a hook.
const HOOKS: [&str; 9] = [
    "btf_tracepoint",
    "fentry",
    "fexit",
    "kprobe",
    "kretprobe",
    "lsm",
    "perf_event",
    "raw_tracepoint",
    "tracepoint",
];
/// What stands above each hook: the prototype in the kernel that it relies on, and since when.
const PROTOTYPE: &str = "// kernel: ";

/// Above each hook stands the kernel's prototype that it relies on.
pub(super) fn hooks_name_their_prototype(file: &File<'_>) -> Vec<Problem> {
    if !file.is_rust() || !file.path.starts_with("tracer-ebpf/src/probes/") {
        return Vec::new();
    }
    let lines: Vec<_> = file.text.lines().map(str::trim_start).collect();
    let is_bare = |at: &usize| is_hook(lines[*at]) && !has_prototype(&lines[..*at]);
    (0..lines.len())
        .filter(is_bare)
        .map(|at| Problem::new(at + 1, format!("a hook without `{PROTOTYPE}…` above it")))
        .collect()
}

fn is_hook(line: &str) -> bool {
    let name = line.strip_prefix("#[").and_then(|rest| rest.split(['(', ']']).next());
    name.is_some_and(|name| HOOKS.contains(&name))
}

/// Whether the comments and attributes right above a hook name a prototype.
fn has_prototype(above: &[&str]) -> bool {
    above
        .iter()
        .rev()
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.starts_with(PROTOTYPE))
}

#[cfg(test)]
mod tests {
    use super::{HOOKS, hooks_name_their_prototype};
    use crate::tidy::found;

    #[test]
    fn a_hook_without_its_prototype_is_found() {
        let path = "tracer-ebpf/src/probes/exit.rs";
        for hook in HOOKS {
            let bare = format!("//! Exits.\n\n// kernel: of another\n\n/// Docs.\n#[{hook}]\n");
            assert_eq!(found(hooks_name_their_prototype, path, &bare), [6]);
            let named =
                format!("// kernel: void f(void), 5.10\n/// Docs.\n#[{hook}(function = \"f\")]\n");
            assert_eq!(found(hooks_name_their_prototype, path, &named), [0; 0]);
            assert_eq!(found(hooks_name_their_prototype, "tracer/src/a.rs", &bare), [0; 0]);
        }
    }
}
