//! What the other verbs need, found or installed. Owns the list of needs; how packages, tools and
//! the sources of `core` are got is in the files beside this one.
//!
//! Nothing is remembered of an earlier run: each need is looked for where it is used, which takes
//! milliseconds and cannot be out of date.

mod packages;
pub(crate) mod rust_src;
pub(crate) mod tools;

use anyhow::Result;

use crate::sh;

/// Installs all that the other verbs need (Debian or Ubuntu, as root); elsewhere says what is
/// missing
#[derive(clap::Args)]
pub(crate) struct Args {}

/// A group of things that verbs need together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To build the eBPF object: bpf-linker, LLVM's strip, the sources of `core`.
    Ebpf,
    /// To boot other kernels: QEMU, a busybox for the guests, the keys that kernels are signed
    /// with, and what their modules are packed with.
    Guests,
    /// To build the disks of nodes.
    Nodes,
    /// To check the dependencies' licences and sources.
    Lint,
    /// To measure against other tools. Optional: what cannot be had is named and left out.
    Bench,
}

impl Need {
    const ALL: [Self; 5] = [Self::Ebpf, Self::Guests, Self::Nodes, Self::Lint, Self::Bench];
}

/// Runs the verb.
pub(crate) fn run(_: &Args) -> Result<()> {
    ensure(&Need::ALL)?;
    println!("setup: all that the verbs need is there");
    Ok(())
}

/// Makes sure that `needs` are met: returns at once if they are, installs what is missing if it
/// can.
///
/// # Errors
/// What is missing, and how to install it by hand, where this program cannot.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let sh = sh::at_root()?;
    packages::ensure(&sh, &packages::of(&sh, needs)?)?;
    for need in needs {
        match need {
            Need::Ebpf => {
                tools::BPF_LINKER.ensure(&sh)?;
                rust_src::ensure(&sh)?;
            }
            Need::Lint => tools::CARGO_DENY.ensure(&sh)?,
            Need::Guests | Need::Nodes | Need::Bench => {}
        }
    }
    Ok(())
}

/// Says that `what` is about to be done, for it may take a while.
fn say(what: &str) {
    eprintln!("setup: {what}");
}
