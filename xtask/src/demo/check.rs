//! Whether truant said what was done, and nothing else. Pure: the JSON lines in, a verdict out.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// One thing that was done.
#[derive(Debug)]
pub(super) enum Expected {
    /// A task changed its place, in so many hierarchies alike.
    Finding { kind: &'static str, pid: u32, from: String, to: String, by: u32, hierarchies: usize },
    /// A process took at least so much, for which that cgroup pays.
    Charges { pid: u32, cgroup: String, mib: usize },
}

/// What truant said.
#[derive(Debug, Default)]
pub(super) struct Said {
    findings: Vec<Value>,
    charges: Vec<Value>,
    summary: Value,
}

impl Said {
    /// Reads truant's JSON lines.
    pub(super) fn read(lines: &str) -> Result<Self> {
        let mut said = Self::default();
        for line in lines.lines() {
            let value: Value = serde_json::from_str(line).context("truant's JSON is none")?;
            match value["type"].as_str() {
                Some("finding") => said.findings.push(value),
                Some("update") => said.update(&value["finding"]),
                Some("charges") => said.charges.push(value),
                Some("summary") => said.summary = value,
                _ => {}
            }
        }
        Ok(said)
    }

    /// Takes a finding as it is known later in place of what was told.
    fn update(&mut self, finding: &Value) {
        let key = |it: &Value| ["kind", "pid", "at_ns"].map(|field| it[field].clone());
        if let Some(told) = self.findings.iter_mut().rfind(|told| key(told) == key(finding)) {
            *told = finding.clone();
        }
    }

    /// What truant lost, in its own words, if anything: on a busy node that is no fault of it, as
    /// long as it says so.
    pub(super) fn lost(&self) -> Option<String> {
        let lost = &self.summary["lost"];
        lost.as_object().is_some_and(|lost| !lost.is_empty()).then(|| lost.to_string())
    }

    /// In how many hierarchies just that was found.
    fn count(&self, kind: &str, pid: u32, from: &str, to: &str, by: u32) -> usize {
        let is_at = |value: &Value, path: &str| value.as_str().is_some_and(|at| at.ends_with(path));
        let is_there = |at: &&Value| is_at(&at["from"], from) && is_at(&at["to"], to);
        let is_it = |finding: &&Value| {
            finding["kind"] == kind && finding["pid"] == pid && finding["mover"]["pid"] == by
        };
        self.findings.iter().filter(is_it).flat_map(in_each_hierarchy).filter(is_there).count()
    }

    /// Bytes that `pid` charged to a cgroup; where charges are only polled, bytes that anybody did.
    fn charged(&self, pid: u32, cgroup: &str) -> u64 {
        let rows = || {
            self.charges
                .iter()
                .filter(|row| row["cgroup"].as_str().is_some_and(|path| path.ends_with(cgroup)))
        };
        if rows().any(|row| row["polled"] == true) {
            let net = |row: &Value| row["subtree_net_bytes"].as_i64();
            return rows().filter_map(net).max().unwrap_or(0).try_into().unwrap_or(0);
        }
        let by = rows().filter_map(|row| row["by"].as_array()).flatten();
        by.filter(|row| row["pid"] == pid).filter_map(|row| row["charged_bytes"].as_u64()).sum()
    }
}

/// What a finding says of its main hierarchy, and of the others.
fn in_each_hierarchy(finding: &Value) -> impl Iterator<Item = &Value> {
    let also = finding["also"].as_array().map_or(&[][..], Vec::as_slice);
    std::iter::once(finding).chain(also)
}

/// Compares. `status` is truant's exit status.
///
/// # Errors
/// Says all that is not as it should be.
pub(super) fn check(expected: &[Expected], said: &Said, status: i32) -> Result<()> {
    let mut wrong: Vec<_> = expected.iter().filter_map(|one| missing(one, said)).collect();
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for one in expected {
        if let Expected::Finding { kind, hierarchies, .. } = one {
            let (least, most) = kinds.entry(kind).or_default();
            // A slow machine's may come too late to be told as one.
            (*least, *most) = (*least + 1, *most + *hierarchies as u64);
        }
    }
    let found = said.summary["findings"].as_object().cloned().unwrap_or_default();
    for (kind, count) in &found {
        // The demo's container sees the whole node's tree, as the audit says: that was not done.
        let (least, most) = kinds.remove(&**kind).unwrap_or_default();
        if kind != "exposed" && !count.as_u64().is_some_and(|it| (least..=most).contains(&it)) {
            wrong.push(format!("the summary has {count} {kind}, not {least} to {most}"));
        }
    }
    if !kinds.is_empty() {
        wrong.push(format!("the summary lacks {:?}", kinds.keys()));
    }
    let should_be = if said.lost().is_some() { 3 } else { 1 };
    if said.summary["exit_status"] != should_be || status != should_be {
        wrong.push(format!("the exit status is {status}, not {should_be}"));
    }
    if !wrong.is_empty() {
        bail!("truant did not say what was done: {}", wrong.join("; "));
    }
    Ok(())
}

/// What truant should have said of one thing and did not.
fn missing(expected: &Expected, said: &Said) -> Option<String> {
    match expected {
        Expected::Finding { kind, pid, from, to, by, hierarchies } => {
            let found = said.count(kind, *pid, from, to, *by);
            (found != *hierarchies).then(|| {
                format!(
                    "{kind} {pid} {from} → {to} by {by}: in {found} hierarchies, not {hierarchies}"
                )
            })
        }
        Expected::Charges { pid, cgroup, mib } => {
            let found = said.charged(*pid, cgroup);
            (found < (*mib as u64) << 20)
                .then(|| format!("{pid} charged {found} bytes to {cgroup}, not {mib} MiB"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Said, check};

    const LINES: &str = concat!(
        r#"{"type":"header"}"#,
        "\n",
        r#"{"type":"finding","kind":"left","pid":7,"mover":{"pid":3},"#,
        r#""from":"/x/in","to":"/x/out"}"#,
        "\n",
        r#"{"type":"charges","cgroup":"/x/out","polled":false,"#,
        r#""by":[{"pid":7,"charged_bytes":1048576}]}"#,
        "\n",
        r#"{"type":"summary","findings":{"left":1},"lost":{},"blind":[],"exit_status":1}"#,
    );

    fn verdict(kind: &'static str, hierarchies: usize, mib: usize, status: i32) -> String {
        verdict_on(LINES, kind, hierarchies, mib, status)
    }

    fn verdict_on(
        lines: &str,
        kind: &'static str,
        hierarchies: usize,
        mib: usize,
        status: i32,
    ) -> String {
        let (from, to) = ("/in".to_owned(), "/out".to_owned());
        let cgroup = to.clone();
        let expected = [
            Expected::Finding { kind, pid: 7, from, to, by: 3, hierarchies },
            Expected::Charges { pid: 7, cgroup, mib },
        ];
        let verdict = check(&expected, &Said::read(lines).unwrap(), status);
        verdict.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_was_done_and_said_is_right() {
        assert_eq!(verdict("left", 1, 1, 1), "");
    }

    #[test]
    fn a_finding_may_be_of_several_hierarchies_by_itself_or_later() {
        let also = r#""also":[{"from":"/y/in","to":"/y/out"}],"from":"/x/in""#;
        let whole = LINES.replace(r#""from":"/x/in""#, also);
        assert_eq!(verdict_on(&whole, "left", 2, 1, 1), "");
        let finding = whole.lines().nth(1).unwrap();
        let update = format!("{{\"type\":\"update\",\"finding\":{finding}}}\n");
        assert_eq!(verdict_on(&(LINES.to_owned() + "\n" + &update), "left", 2, 1, 1), "");
    }

    #[test]
    fn what_was_not_said_is_named() {
        assert!(verdict("left", 2, 1, 1).contains("in 1 hierarchies, not 2"));
        assert!(
            verdict("came_back", 1, 1, 1).contains("came_back 7 /in → /out by 3: in 0 hierarchies")
        );
        assert!(verdict("left", 1, 2, 1).contains("7 charged 1048576 bytes to /out, not 2 MiB"));
        assert!(verdict("left", 1, 1, 3).contains("the exit status is 3, not 1"));
    }

    #[test]
    fn a_loss_has_to_show_in_the_exit_status() {
        let lines = LINES.replace(r#""lost":{}"#, r#""lost":{"recursion":1}"#);
        let lossy = lines.replace(r#""exit_status":1"#, r#""exit_status":3"#);
        assert_eq!(verdict_on(&lossy, "left", 1, 1, 3), "");
        assert!(verdict_on(&lines, "left", 1, 1, 1).contains("the exit status is 1, not 3"));
    }
}
