//! `kernels`: what the hooks rely on, held against real kernels' own description of their types.
//! Owns which kernels are asked and how differences are shown; reading the source and the types is
//! in the files beside this one.

mod source;
mod types;

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    setup::{self, Need},
    vm,
};
use source::{Claim, Hook};
use types::Types;

/// Where a running kernel shows its types.
const OWN_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Shows the kernel prototypes behind the hooks, for each kernel that the tests boot
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show nothing; fail if one is not what the `// kernel: …` line above its hook says
    #[arg(long)]
    check: bool,
    /// As `vm --kernel` names them; those that the tests boot, and this machine's own, if none
    kernels: Vec<String>,
}

/// Major and minor.
type Version = (u32, u32);

/// A kernel that is asked.
struct Kernel {
    /// As people call it: `6.12.118+deb13`.
    name: String,
    version: Version,
    types: Types,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check && args.kernels.is_empty() {
        return check();
    }
    let kernels = kernels(&args.kernels)?;
    if args.check {
        return check_on(kernels);
    }
    let hooks = source::hooks()?;
    for kernel in kernels {
        println!("{}", kernel.name);
        let mut shown: Vec<_> = hooks.iter().map(|hook| (hook.is_tracepoint, &hook.name)).collect();
        shown.sort_unstable();
        shown.dedup();
        for (is_tracepoint, name) in shown {
            let found = kernel.types.prototypes(is_tracepoint, name);
            println!(
                "  {}",
                if found.is_empty() { format!("no {name}") } else { found.join(" | ") }
            );
        }
    }
    Ok(())
}

/// Checks every hook's line against the kernels that the tests boot, and this machine's own.
///
/// # Errors
/// A kernel that cannot be asked. Says how many lines are wrong, after printing each.
pub(crate) fn check() -> Result<()> {
    check_on(kernels(&[])?)
}

fn check_on(kernels: Vec<Kernel>) -> Result<()> {
    let hooks = source::hooks()?;
    let (mut names, mut wrong) = (Vec::new(), 0);
    for kernel in kernels {
        for problem in hooks.iter().filter_map(|hook| problem(hook, &kernel)) {
            println!("{problem}");
            wrong += 1;
        }
        names.push(kernel.name);
    }
    if wrong > 0 {
        bail!("{wrong} prototypes are not what the hooks say");
    }
    println!("kernels: the prototypes of {} hooks hold on {}", hooks.len(), names.join(", "));
    Ok(())
}

/// The kernels of those names; without any, those that the guests boot, and this machine's own
/// where it shows its types.
fn kernels(names: &[String]) -> Result<Vec<Kernel>> {
    setup::ensure(&[Need::Guests])?;
    let mut kernels = names.iter().map(|name| of_guest(name)).collect::<Result<Vec<_>>>()?;
    if !names.is_empty() {
        return Ok(kernels);
    }
    for name in vm::names() {
        kernels.push(of_guest(name)?);
    }
    match fs::read(OWN_BTF) {
        Ok(bytes) => {
            let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
            kernels.push(Kernel::new(format!("{} (this machine's)", release.trim()), &bytes)?);
        }
        Err(error) => println!("kernels: not asked: this machine's, for {OWN_BTF}: {error}"),
    }
    Ok(kernels)
}

fn of_guest(name: &str) -> Result<Kernel> {
    let vm::Btf { version, bytes } =
        vm::btf(name).with_context(|| format!("cannot ask kernel {name}"))?;
    Kernel::new(version, &bytes)
}

impl Kernel {
    fn new(name: String, btf: &[u8]) -> Result<Self> {
        let version = version(&name).with_context(|| format!("{name:?} is no kernel's version"))?;
        let types = Types::read(btf).with_context(|| format!("cannot read the types of {name}"))?;
        Ok(Self { name, version, types })
    }
}

/// The first two numbers of a version.
fn version(name: &str) -> Option<Version> {
    let mut numbers = name.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What of a hook's line is not so on a kernel, if anything.
fn problem(hook: &Hook, kernel: &Kernel) -> Option<String> {
    let found = kernel.types.prototypes(hook.is_tracepoint, &hook.name);
    let claims = claims_for(&hook.claims, kernel.version);
    let is_claimed = |found: &String| claims.iter().any(|claim| is_as_claimed(claim, found));
    let holds = found.is_empty() == claims.is_empty() && found.iter().all(is_claimed);
    (!holds).then(|| {
        let Hook { path, line, name, .. } = hook;
        let or_nothing = |texts: &[&str]| match texts {
            [] => format!("no {name}"),
            texts => texts.join(" | "),
        };
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        let (kernel, expected, found) = (&kernel.name, or_nothing(&claims), or_nothing(&found));
        format!("{path}:{line}: {kernel}: expected {expected}, found {found}")
    })
}

/// The prototypes that a version may have: of the claims that are not later, the latest. Stable
/// kernels take over changes from later ones, so two of the same version are either one or the
/// other.
fn claims_for(claims: &[Claim], version: Version) -> Vec<&str> {
    let latest = claims.iter().map(|claim| claim.since).filter(|since| *since <= version).max();
    let counts = |claim: &&Claim| Some(claim.since) == latest;
    claims.iter().filter(counts).map(|claim| claim.prototype.as_str()).collect()
}

/// Whether a prototype is the claimed one; `...` at the end stands for any more arguments.
fn is_as_claimed(claimed: &str, found: &str) -> bool {
    match claimed.strip_suffix(", ...)") {
        Some(start) => found.strip_prefix(start).is_some_and(|rest| rest.starts_with([',', ')'])),
        None => claimed == found,
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, claims_for, is_as_claimed, version};

    #[test]
    fn the_latest_claim_that_is_old_enough_counts() {
        let claim = |since, prototype: &str| Claim { since, prototype: prototype.to_owned() };
        let claims = [claim((5, 10), "old"), claim((5, 10), "stable"), claim((6, 9), "new")];
        assert_eq!(claims_for(&claims, (5, 4)), [""; 0]);
        assert_eq!(claims_for(&claims, (6, 8)), ["old", "stable"]);
        assert_eq!(claims_for(&claims, (6, 9)), ["new"]);
        assert_eq!(claims_for(&claims, (7, 0)), ["new"]);
    }

    #[test]
    fn dots_stand_for_any_more_arguments() {
        assert!(is_as_claimed("f(task *, ...)", "f(task *, bool)"));
        assert!(is_as_claimed("f(task *, ...)", "f(task *)"));
        assert!(!is_as_claimed("f(task *, ...)", "f(task **)"));
        assert!(!is_as_claimed("f(task *)", "f(task *, bool)"));
    }

    #[test]
    fn a_version_is_its_first_two_numbers() {
        assert_eq!(version("5.10.0-46"), Some((5, 10)));
        assert_eq!(version("6.12.118+deb13"), Some((6, 12)));
        assert_eq!(version("mainline"), None);
    }
}
