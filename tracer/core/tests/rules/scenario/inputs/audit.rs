//! The lines of an audit to inputs.

use truant_core::{
    ids::{CgroupKey, Comm, Task},
    input::{
        CgroupLimits, CgroupMount, ContainerFacts, Holding, Input, Limit, Namespaces, NodeMemory,
        Unseen, View,
    },
};

use super::{number, place, small};

/// Words with one of these before a `=` say who somebody is and not where.
const ORIGINS: [&str; 5] = ["by", "pid", "mnt", "net", "shim"];

pub(super) fn seen(task: Task, words: &[&str]) -> Input {
    let is_origin =
        |word: &&&str| word.split_once('=').is_some_and(|(it, _)| ORIGINS.contains(&it));
    let origin = |name: &str| value(words, name);
    let namespaces = Namespaces {
        pid: origin("pid").map(small),
        mount: origin("mnt").map(small),
        net: origin("net").map(small),
        ..Namespaces::default()
    };
    Input::TaskSeen {
        task,
        ppid: origin("by").map_or(1, small),
        places: words.iter().filter(|word| !is_origin(word)).map(place).collect(),
        namespaces: (namespaces != Namespaces::default()).then_some(namespaces),
        monitors: origin("shim").map(str::to_owned),
    }
}

pub(super) fn container(id: &str, words: &[&str]) -> Input {
    let text = |name: &str| value(words, name).map(str::to_owned);
    Input::Container(Box::new(ContainerFacts {
        id: id.to_owned(),
        pod_uid: text("uid"),
        pod: text("pod"),
        namespace: text("pod").map(|_| "default".to_owned()),
        name: text("name"),
        pid: value(words, "init").map(small),
        ..ContainerFacts::default()
    }))
}

pub(super) fn limits(key: CgroupKey, words: [&str; 3]) -> Input {
    let limit = |word: &str| match word {
        "?" => None,
        "max" => Some(Limit::Unlimited),
        most => Some(Limit::Of(number(most))),
    };
    let [memory, pids, cpu] = words.map(limit);
    Input::Limits(vec![CgroupLimits { key, memory, pids, cpu }])
}

pub(super) fn held(id: &str, bytes: &str, dying: &[&str]) -> Input {
    let dying = dying.first().map(|count| number(count));
    let cgroup = number(id);
    Input::Held(vec![Holding { cgroup, bytes: number(bytes), own: None, dying }])
}

pub(super) fn node(total: u64, free: u64) -> Input {
    Input::NodeMemory(NodeMemory { total, free, available: free })
}

pub(super) fn view(pid: u32, init: &str, facts: [&str; 2], mounts: &[&str]) -> Input {
    let [cgroups, mounting] = facts.map(|word| Some(word == "yes"));
    let mount = |word: &&str| {
        let (word, how) = word.split_once(':').unwrap_or((word, "rw"));
        let (hierarchy, root) = place(&word);
        let (writable, is_fenced) = (how != "ro", how == "fenced");
        CgroupMount { hierarchy, root, at: Box::from(*b"/sys/fs/cgroup"), writable, is_fenced }
    };
    Input::View(Box::new(View {
        pid,
        init: Some(Comm::new(init.as_bytes())),
        host_cgroups: cgroups,
        may_mount: mounting,
        host_users: Some(true),
        mounts: mounts.iter().map(mount).collect(),
    }))
}

pub(super) fn unseen(what: &str) -> Input {
    let (what, why) = (what.to_owned(), "not permitted".to_owned());
    Input::Unseen(Box::new(Unseen { what, why, mend: None }))
}

fn value<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs.into_iter().find(|(it, _)| *it == name).map(|(_, value)| value)
}
