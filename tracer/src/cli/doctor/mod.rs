//! `truant doctor`: what this kernel and node allow, and what will be used.
//!
//! Attaches everything for a moment, since only trying tells what a kernel lets pass.

mod advice;

use std::io::{self, Write, stdout};

use anyhow::Result;
use truant_core::{
    input::{Facts, Hook, Need, Way},
    report::Report,
};

use crate::{host::Host, output::names::Named as _, route::Stop, session};

use self::advice::Advice;
use super::{
    COULD_NOT_RUN,
    args::{Format, HookArgs, OutputArgs},
    sink,
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    hooks: HookArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Says what will be used, what was refused and why, and what would mend it. The status is 0 if
/// moves can be traced and charges known, in whatever way, and 2 if not.
///
/// # Errors
/// If the output can go nowhere.
pub(crate) fn run(args: Args) -> Result<u8> {
    let host = Host::live();
    // If it cannot, the advice below says so.
    let _ = host.enter_cgroups();
    let facts = session::probe(&args.hooks.hooks(false), &host);
    let advice = advice::on(&host.preflight());
    let status = match &facts {
        Ok(facts) if can_run(facts) => 0,
        _ => COULD_NOT_RUN,
    };
    match (facts, args.output.output) {
        (Ok(facts), Format::Json) => {
            sink(Format::Json).show(&Report::Header(Box::new(facts))).map_err(Stop::of)?;
        }
        (Err(error), Format::Json) => return Err(error),
        (facts, Format::Text) => print(facts.as_ref(), &advice).map_err(Stop::of)?,
    }
    Ok(status)
}

/// Whether the main job can run: moves seen, and charges known at least from files.
fn can_run(facts: &Facts) -> bool {
    let way = |need| facts.hooks.iter().find(|hook| hook.need == need).and_then(|hook| hook.way);
    way(Need::Moves).is_some() && way(Need::Charges).is_some()
}

fn print(facts: Result<&Facts, &anyhow::Error>, advice: &[Advice]) -> io::Result<()> {
    let mut out = stdout().lock();
    match facts {
        Ok(facts) => {
            let mode = facts.mode.words();
            writeln!(out, "truant {}, kernel {}, cgroup {mode}", facts.version, facts.kernel)?;
            for hook in &facts.hooks {
                print_hook(&mut out, hook)?;
            }
        }
        Err(error) => writeln!(out, "nothing can be attached: {error:#}")?,
    }
    for Advice { fact, mend } in advice {
        writeln!(out, "note: {fact}")?;
        writeln!(out, "      mend: {mend}")?;
    }
    match facts {
        Ok(facts) if can_run(facts) => writeln!(out, "the main job can run here"),
        _ => writeln!(out, "the main job cannot run here"),
    }
}

fn print_hook(out: &mut impl Write, hook: &Hook) -> io::Result<()> {
    let way = hook.way.map_or_else(|| "none".to_owned(), Way::words);
    let note = hook.note.as_deref().unwrap_or_default();
    writeln!(out, "{}", format!("  {:<10} {way:<10}  {note}", hook.need.words()).trim_end())?;
    for refusal in &hook.refused {
        writeln!(out, "             {} refused: {}", refusal.way.words(), refusal.why)?;
        if let Some(mend) = &refusal.mend {
            writeln!(out, "               mend: {mend}")?;
        }
    }
    Ok(())
}
