//! The lines against their schema, both ways: what is written is described, and what is described
//! is written.

// tidy: long because the expected lines of every report stand here in full.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use truant_core::{
    input::{Facts, Limit, LossCause},
    report::{Finding, FindingKind, Ledger, Report, Verdict},
};

use super::*;
use crate::output::{escape::unescape, samples};

const SCHEMA: &str = include_str!("../../../schema/truant.schema.json");

pub(in crate::output) fn schema() -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

fn text(reports: &[Report]) -> String {
    let mut bytes = Vec::new();
    let mut sink = JsonSink::new(&mut bytes);
    for report in reports {
        sink.show(report).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

fn lines() -> Vec<Value> {
    let mut reports = samples::reports();
    reports.push(Report::Header(Box::new(samples::widest_facts())));
    text(&reports).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(in crate::output) fn check(schema: &Validator, line: &Value) -> Result<(), String> {
    let errors: Vec<String> = schema.iter_errors(line).map(|error| error.to_string()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

#[test]
fn every_line_is_as_the_schema_says() {
    let schema = schema();
    for line in lines() {
        check(&schema, &line).unwrap_or_else(|why| panic!("{line:#}: {why}"));
    }
}

#[test]
fn the_type_comes_first() {
    for line in text(&samples::reports()).lines() {
        assert!(line.starts_with("{\"type\":\""), "{line}");
    }
}

#[test]
fn the_schema_describes_no_line_that_is_not_written() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let written = lines();
    for choice in schema["oneOf"].as_array().unwrap() {
        let name = choice["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert!(written.iter().any(|line| line["type"] == name), "no {name} line");
    }
}

/// The first lines of each type, and of findings with and without a home and an exposure: enough
/// to have every field once.
fn few_lines() -> Vec<Value> {
    let mut seen = BTreeMap::new();
    let mut is_new = |line: &Value| {
        let is_null = |key: &str| line[key].is_null();
        let nulls = ["home", "exposure", "kill"].map(is_null);
        let count: &mut u32 = seen.entry((line["type"].to_string(), nulls)).or_default();
        *count += 1;
        *count <= 3
    };
    lines().into_iter().filter(|line| is_new(line)).collect()
}

/// Every object within `value`, itself included, by JSON pointer.
fn objects(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                objects(value, format!("{at}/{key}"), found);
            }
            found.push(at);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn object<'a>(line: &'a mut Value, at: &str) -> &'a mut Map<String, Value> {
    line.pointer_mut(at).unwrap().as_object_mut().unwrap()
}

#[test]
fn a_field_missing_renamed_or_added_breaks_the_schema() {
    let schema = schema();
    let mut tried = 0;
    for line in &few_lines() {
        let mut places = Vec::new();
        objects(line, String::new(), &mut places);
        for at in places {
            // The summary's two tables name kinds and causes, of which none has to be there.
            let open = line["type"] == "summary" && !at.is_empty();
            // A label may be called anything.
            if at.ends_with("/labels") {
                continue;
            }
            let mut added = line.clone();
            object(&mut added, &at).insert("extra".to_owned(), json!(1));
            assert!(check(&schema, &added).is_err(), "extra at {at:?} of {line:#}");
            let keys: Vec<String> = object(&mut line.clone(), &at).keys().cloned().collect();
            for key in keys {
                let mut changed = line.clone();
                let value = object(&mut changed, &at).remove(&key).unwrap();
                assert!(open || check(&schema, &changed).is_err(), "no {key} at {at:?}: {line:#}");
                object(&mut changed, &at).insert(format!("{key}s"), value);
                assert!(check(&schema, &changed).is_err(), "{key}s at {at:?} of {line:#}");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn a_name_in_json_gives_its_bytes_back() {
    for name in samples::NASTY {
        let finding = samples::finding(FindingKind::Left, b"sh", name, b"/");
        let line: Value =
            serde_json::from_str(&text(&[Report::Finding(Box::new(finding))])).unwrap();
        assert_eq!(unescape(line["from"].as_str().unwrap()).unwrap(), name);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn the_lines_are_these() {
    let figures = [samples::sums(4096, 0, 1), samples::sums(12288, 4096, 1)];
    let mut row = samples::row(b"/system.slice/a.service", figures[0], figures[1]);
    row.by.truncate(1);
    let mut pod = samples::memory::pods().remove(0);
    pod.payers.truncate(1);
    pod.home = samples::audit::nameless("0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b");
    let finding = samples::finding(FindingKind::Left, b"a\x1b\xff", b"/kubepods/a", b"/");
    let facts = Facts { hooks: vec![], ..samples::facts() };
    let text = text(&[
        Report::Header(Box::new(facts)),
        Report::Finding(Box::new(finding)),
        Report::Charges(Ledger { at: samples::AT, rows: vec![row], pods: vec![pod] }),
        Report::Loss { at: samples::AT, cause: LossCause::RingFull, count: 12 },
        Report::Summary(Box::new(samples::summary(Verdict::Inconclusive))),
    ]);
    // Broken into the lines of this file, which are short; the order is as written.
    insta::assert_snapshot!(text.replace(",\"", ",\n  \"").replace(",{", ",\n  {"), @r#"
    {"type":"header",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "version":"0.1.0",
      "kernel":"6.1.0-28-cloud-amd64",
      "boot_time":"2023-11-15T11:58:59Z",
      "interval_ns":1000000000,
      "mode":"hybrid",
      "hierarchies":[{"id":0,
      "name":"v2",
      "controllers":[]},
      {"id":4,
      "name":"memory",
      "controllers":["memory"]}],
      "memory_hierarchy":4,
      "hooks":[],
      "guard":[],
      "own_pid":4711}
    {"type":"finding",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "kind":"left",
      "pid":1234,
      "tid":1234,
      "comm":"a\\x1b\\xff",
      "started_ns":7,
      "whole_process":true,
      "hierarchy":"memory",
      "from":"/kubepods/a",
      "from_id":11,
      "from_container":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
      "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"},
      "to":"/",
      "to_id":12,
      "to_container":null,
      "also":[],
      "times":1,
      "mover":{"pid":77,
      "comm":"systemd"},
      "mover_home":null,
      "lost_controllers":["memory"],
      "home":null,
      "limits":null,
      "resident_bytes":null,
      "exposure":null,
      "kill":null}
    {"type":"charges",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "cgroup":"/system.slice/a.service",
      "id":21,
      "container":null,
      "charged_bytes":4096,
      "uncharged_bytes":0,
      "failures":1,
      "limit_hits":1,
      "net_bytes":8192,
      "subtree_net_bytes":8192,
      "since_start":{"charged_bytes":12288,
      "uncharged_bytes":4096,
      "failures":1,
      "limit_hits":1},
      "by":[{"pid":1234,
      "comm":"stress-ng",
      "charged_bytes":2048,
      "uncharged_bytes":0,
      "failures":0,
      "limit_hits":0,
      "net_bytes":2048,
      "since_start":{"charged_bytes":2048,
      "uncharged_bytes":0,
      "failures":0,
      "limit_hits":0}}],
      "guarded":false,
      "removed":false,
      "polled":false}
    {"type":"pod",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "home":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
      "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0",
      "pod":null,
      "namespace":null,
      "container":null,
      "image":null,
      "labels":null,
      "witnesses":["other_hierarchy",
      "runtime",
      "pid_namespace"],
      "sure":true},
      "inside_net_bytes":0,
      "outside_net_bytes":216006656,
      "net_bytes":216006656,
      "payers":[{"cgroup":"/system.slice/leaky.service",
      "id":31,
      "guarded":false,
      "charged_bytes":209715200,
      "uncharged_bytes":0,
      "failures":0,
      "limit_hits":0,
      "net_bytes":216006656}]}
    {"type":"loss",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "cause":"ring_full",
      "count":12}
    {"type":"summary",
      "at_ns":61000000000,
      "time":"2023-11-15T12:00:00Z",
      "findings":{"born_outside":1,
      "left":2},
      "lost":{"ring_full":12},
      "moves":120,
      "unmoved":4,
      "blind":["births"],
      "status":"inconclusive",
      "exit_status":3}
    "#);
}

#[test]
fn what_a_kill_was_about_is_said_as_far_as_it_is_known() {
    let kill = |finding: Finding| {
        let line = text(&[Report::Finding(Box::new(finding))]);
        serde_json::from_str::<Value>(&line).unwrap()["kill"].take()
    };
    let ran_out = |finding| kill(finding)["ran_out"].take();
    let limit = |limit: Value| json!({"node": false, "cgroup": samples::CGROUPFS, "limit": limit});
    assert_eq!(ran_out(samples::memory::limit(Some(Limit::Of(4096)))), limit(json!(4096)));
    assert_eq!(ran_out(samples::memory::limit(Some(Limit::Unlimited))), limit(json!("unlimited")));
    assert_eq!(ran_out(samples::memory::limit(None)), limit(Value::Null));
    let mut node = kill(samples::memory::node());
    node["holders"].as_array_mut().unwrap().truncate(1);
    let holder =
        json!({"cgroup": "/system.slice/leaky.service", "id": 31, "held_bytes": 216_006_656});
    assert_eq!(
        node,
        json!({
            "ran_out": {"node": true, "cgroup": null, "limit": null},
            "inside_bytes": 14_889_779,
            "outside_net_bytes": 217_055_232,
            "holders": [holder],
            "node": {
                "total_bytes": 3_221_225_472_u64,
                "free_bytes": 46_137_344,
                "available_bytes": 20_971_520,
            },
        })
    );
    let nothing = json!({
        "ran_out": null, "inside_bytes": null, "outside_net_bytes": 0, "holders": [], "node": null,
    });
    assert_eq!(kill(samples::memory::unknown()), nothing);
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn the_lines_of_an_audit_are_these() {
    let mut audit = samples::audit::incident();
    audit.pods[0].processes.truncate(1);
    audit.pods[0].processes[0].from = samples::place(11, b"/kubepods/a");
    audit.exposed.truncate(1);
    audit.exposed[0].mounts.truncate(1);
    audit.unseen = samples::audit::busy().unseen;
    audit.unseen.truncate(1);
    audit.mismatch.as_mut().unwrap().systemd.clear();
    let text = text(&[Report::Header(Box::new(samples::facts())), Report::Audit(Box::new(audit))]);
    let (_, text) = text.split_once('\n').unwrap();
    insta::assert_snapshot!(text.replace(",\"", ",\n  \"").replace(",{", ",\n  {"), @r#"
{"type":"finding",
  "at_ns":61000000000,
  "time":"2023-11-15T12:00:00Z",
  "kind":"already_out",
  "pid":1234,
  "tid":1234,
  "comm":"stress-ng-vm",
  "started_ns":12234000000,
  "whole_process":true,
  "hierarchy":"memory",
  "from":"/kubepods/a",
  "from_id":11,
  "from_container":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
  "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"},
  "to":"/system.slice/leaky.service",
  "to_id":31,
  "to_container":null,
  "also":[],
  "times":1,
  "mover":null,
  "mover_home":null,
  "lost_controllers":["memory"],
  "home":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
  "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0",
  "pod":"dev-env",
  "namespace":"default",
  "container":"main",
  "image":"docker.io/library/dev:1",
  "labels":{"app":"dev-env"},
  "witnesses":["other_hierarchy",
  "runtime",
  "pid_namespace"],
  "sure":true},
  "limits":{"before":{"memory_bytes":536870912,
  "pids":100,
  "cpu_millis":500},
  "after":{"memory_bytes":"unlimited",
  "pids":"unlimited",
  "cpu_millis":500}},
  "resident_bytes":214958080,
  "exposure":null,
  "kill":null}
{"type":"finding",
  "at_ns":61000000000,
  "time":"2023-11-15T12:00:00Z",
  "kind":"exposed",
  "pid":1200,
  "tid":1200,
  "comm":"systemd",
  "started_ns":7,
  "whole_process":true,
  "hierarchy":null,
  "from":null,
  "from_id":null,
  "from_container":null,
  "to":null,
  "to_id":null,
  "to_container":null,
  "also":[],
  "times":1,
  "mover":null,
  "mover_home":null,
  "lost_controllers":[],
  "home":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
  "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0",
  "pod":"dev-env",
  "namespace":"default",
  "container":"main",
  "image":"docker.io/library/dev:1",
  "labels":{"app":"dev-env"},
  "witnesses":["other_hierarchy",
  "runtime",
  "pid_namespace"],
  "sure":true},
  "limits":null,
  "resident_bytes":null,
  "exposure":{"mounts":[{"hierarchy":"memory",
  "root":"/",
  "at":"/sys/fs/cgroup/memory",
  "writable":true}],
  "host_cgroups":false,
  "may_mount":true,
  "runs_systemd":true,
  "lacks_nsdelegate":false},
  "kill":null}
{"type":"audit",
  "at_ns":61000000000,
  "time":"2023-11-15T12:00:00Z",
  "runtimes":[{"name":"containerd",
  "version":"1.4.13~ds1",
  "socket":"/run/containerd/containerd.sock",
  "cgroup_driver":"cgroupfs",
  "trouble":null}],
  "books":{"used_bytes":36000000000,
  "total_bytes":68719476736,
  "guarded_bytes":15032385536,
  "outside_bytes":226965120,
  "rest_bytes":20740649344},
  "pods":[{"home":{"pod_uid":"0f3c1a52-7d2e-4b1c-9a55-1c2d3e4f5a6b",
  "container_id":"9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0",
  "pod":"dev-env",
  "namespace":"default",
  "container":"main",
  "image":"docker.io/library/dev:1",
  "labels":{"app":"dev-env"},
  "witnesses":["other_hierarchy",
  "runtime",
  "pid_namespace"],
  "sure":true},
  "processes":1,
  "cgroups":[{"path":"/system.slice/leaky.service",
  "id":31,
  "held_bytes":216965120},
  {"path":"/init.scope",
  "id":32,
  "held_bytes":10000000}],
  "inside_bytes":14889779}],
  "unsure":0,
  "exposed":1,
  "mismatch":{"root":"/kubepods",
  "runtime":"containerd",
  "systemd":[]},
  "dead":[{"path":"/kubepods/burstable",
  "id":40,
  "held_bytes":34707865,
  "count":4}],
  "unseen":[{"what":"what the containers of docker are called",
  "why":"/run/docker.sock could not be opened: permission denied",
  "mend":"start truant as root, or name the socket with --runtime-socket"}]}
"#);
}
