//! What a run of truant said: its JSON lines, and the questions tests have about them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::watch::hooks;

/// All that a run left.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The JSON lines, in order.
    pub lines: Vec<Value>,
    /// The exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it told people.
    pub stderr: String,
}

impl Lines {
    /// The lines of one `type`.
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    /// The header.
    pub fn header(&self) -> &Value {
        self.of("header").first().copied().unwrap_or_else(|| panic!("no header: {}", self.stderr))
    }

    /// The summary.
    pub fn summary(&self) -> &Value {
        self.of("summary").first().copied().unwrap_or_else(|| panic!("no summary: {}", self.stderr))
    }

    /// The findings of one `kind`.
    pub fn findings(&self, kind: &str) -> Vec<&Value> {
        self.of("finding").into_iter().filter(|line| line["kind"] == kind).collect()
    }

    /// The findings of one `kind`, each with what its updates added.
    pub fn latest(&self, kind: &str) -> Vec<&Value> {
        let key = |it: &Value| ["kind", "pid", "at_ns"].map(|field| it[field].clone());
        let updates = self.of("update");
        let latest = |told: &Value| updates.iter().rfind(|it| key(&it["finding"]) == key(told));
        let with = |told| latest(told).map_or(told, |update| &update["finding"]);
        self.findings(kind).into_iter().map(with).collect()
    }

    /// The only finding there is of what happened, which is of this `kind`.
    pub fn finding(&self, kind: &str) -> &Value {
        let all = self.not_exposed();
        assert!(all.len() == 1 && all[0]["kind"] == kind, "not one {kind}: {all:#?}");
        all[0]
    }

    /// The first finding of one `kind` about a process.
    pub fn finding_of(&self, kind: &str, pid: u32) -> &Value {
        let found = self.findings(kind).into_iter().find(|line| line["pid"] == pid);
        found.unwrap_or_else(|| panic!("no {kind} of {pid}: {:#?}", self.of("finding")))
    }

    /// That nothing was found to have happened.
    pub fn assert_no_finding(&self) {
        let all = self.not_exposed();
        assert!(all.is_empty(), "nothing should be found: {all:#?}");
    }

    /// The findings but for who could get out: that is said of every test's process which stands
    /// for a pod's, since it sees the whole node.
    fn not_exposed(&self) -> Vec<&Value> {
        self.of("finding").into_iter().filter(|line| line["kind"] != "exposed").collect()
    }

    /// The rows of one cgroup, in order.
    pub fn charges(&self, cgroup: &str) -> Vec<&Value> {
        self.of("charges").into_iter().filter(|line| line["cgroup"] == cgroup).collect()
    }

    /// The last row of one cgroup.
    pub fn last_charges(&self, cgroup: &str) -> &Value {
        let Some(last) = self.charges(cgroup).last().copied() else {
            let seen = |line: &Value| line["cgroup"].to_string();
            let seen: Vec<_> = self.of("charges").into_iter().map(seen).collect();
            panic!("no charges of {cgroup}, but of {seen:?}");
        };
        last
    }

    /// What one cgroup holds in the end, with all below it, in bytes since tracing began.
    pub fn subtree_net(&self, cgroup: &str) -> i64 {
        let last = &self.last_charges(cgroup)["subtree_net_bytes"];
        last.as_i64().expect("a number")
    }

    /// How much was lost by one cause.
    pub fn lost(&self, cause: &str) -> u64 {
        self.summary()["lost"][cause].as_u64().unwrap_or_default()
    }

    /// A number of the summary.
    pub fn count(&self, field: &str) -> u64 {
        self.summary()[field].as_u64().expect("a number")
    }

    /// The way chosen for a need; none where there was none.
    pub fn way(&self, need: &str) -> Option<&str> {
        let hooks = self.header()["hooks"].as_array().expect("a list");
        let hook = hooks.iter().find(|hook| hook["need"] == need).expect("the need is listed");
        hook["way"].as_str()
    }

    /// That a need is met, in the way that the run of tests is about: its programs were accepted.
    pub fn assert_traced(&self, need: &str) {
        let way = self.way(need);
        let hook = self.header()["hooks"].as_array().expect("a list");
        let hook = hook.iter().find(|hook| hook["need"] == need);
        match (need, hooks().as_str()) {
            (_, "auto") => assert!(way.is_some(), "{hook:#?}"),
            ("charges", "tracepoint") => {
                assert!(matches!(way, Some("tracepoint" | "polled")), "{hook:#?}");
            }
            ("charges" | "moves", forced) => assert_eq!(way, Some(forced), "{hook:#?}"),
            _ => assert_eq!(way, Some("tracepoint"), "{hook:#?}"),
        }
    }

    /// That it ended with this status; or inconclusive, where all that was lost is charges that
    /// the way of tracing them is known to miss: those of an interrupt that hits its program.
    pub fn assert_status(&self, status: i32) {
        let misses = || matches!(self.way("charges"), Some("kprobe" | "tracepoint"));
        self.assert_status_if(status, misses);
    }

    /// The same on a node whose engines are at work: there is no quiet interval then to make up
    /// for what the kernel skips, whatever the way.
    pub fn assert_status_of_a_busy_node(&self, status: i32) {
        self.assert_status_if(status, || true);
    }

    fn assert_status_if(&self, status: i32, misses: impl Fn() -> bool) {
        let lost = self.of("summary").first().map(|summary| &summary["lost"]);
        let causes = lost.and_then(|lost| lost.as_object());
        let only_misses = causes.is_some_and(|lost| lost.keys().eq(["recursion"]));
        let status = if only_misses && misses() { 3 } else { status };
        assert_eq!(self.status, Some(status), "lost: {lost:?}; stderr: {}", self.stderr);
    }
}

/// The hierarchies that a finding is about: from where to where in each, by its name.
pub fn by_hierarchy(finding: &Value) -> BTreeMap<&str, (&str, &str)> {
    let also = finding["also"].as_array().expect("a list");
    let row = |it| (text(it, "hierarchy"), (text(it, "from"), text(it, "to")));
    std::iter::once(finding).chain(also).map(row).collect()
}

/// A string field.
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no string in {value}"))
}

/// A number field.
pub fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} is no number in {value}"))
}
