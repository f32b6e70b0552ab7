//! Which cgroup hierarchies there are, and which controllers are in which.
//!
//! Owns `/proc/self/cgroup` and `/proc/cgroups` as sources of that. Every task is in every
//! hierarchy, so any task's file lists them all.

use truant_core::{
    ids::HierarchyId,
    input::{Hierarchy, Mode},
};

use super::{
    Host, ReadError,
    fsutil::{number32, read_at},
    membership, read,
};

/// The hierarchies of the node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Hierarchies {
    /// All of them, in the kernel's order.
    pub(crate) list: Vec<Hierarchy>,
    /// How they share the controllers.
    pub(crate) mode: Mode,
    /// The one with the memory controller; none where no hierarchy is known to have it.
    pub(crate) memory: Option<HierarchyId>,
}

impl Host {
    /// Reads which hierarchies there are. A hierarchy that nothing was ever mounted of is not
    /// there yet, v2's included.
    pub(crate) fn hierarchies(&self) -> Result<Hierarchies, ReadError> {
        let path = self.proc.join("self/cgroup");
        let mut list = parse(&read(&path)?);
        if list.is_empty() {
            return Err(ReadError::Form { path, missing: "line that names a hierarchy" });
        }
        if let Some(v2) = list.iter_mut().find(|hierarchy| hierarchy.id == HierarchyId::V2) {
            v2.controllers = self.v2_controllers(v2)?;
        }
        let mode = mode(&list);
        let has_memory = |hierarchy: &&Hierarchy| {
            hierarchy.controllers.iter().any(|controller| controller == "memory")
        };
        let memory = list.iter().find(has_memory).map(|hierarchy| hierarchy.id);
        Ok(Hierarchies { list, mode, memory })
    }

    /// What v2's root offers; without it, all that is in no v1 hierarchy, which is too much by
    /// those that v2 does not know.
    fn v2_controllers(&self, v2: &Hierarchy) -> Result<Vec<String>, ReadError> {
        let mut offered = Vec::new();
        let root = self.locate(v2).ok();
        if root.is_some_and(|root| read_at(root.dir(), "cgroup.controllers", &mut offered).is_ok())
        {
            let text = String::from_utf8_lossy(&offered);
            return Ok(text.split_ascii_whitespace().map(str::to_owned).collect());
        }
        let controllers = parse_controllers(&read(&self.proc.join("cgroups"))?);
        let free = controllers.into_iter().filter(|row| row.enabled && row.hierarchy == v2.id);
        Ok(free.map(|row| row.name).collect())
    }
}

/// A line of `/proc/cgroups`.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Controller {
    name: String,
    /// 0 for v2, or for none.
    hierarchy: HierarchyId,
    enabled: bool,
}

/// Since Linux 6.14 the file lists only the controllers that v1 has.
fn parse_controllers(bytes: &[u8]) -> Vec<Controller> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?.to_owned();
        let hierarchy = HierarchyId(number32(fields.next()?.as_bytes())?);
        let enabled = fields.nth(1)? != "0";
        Some(Controller { name, hierarchy, enabled })
    };
    lines.filter_map(row).collect()
}

fn parse(bytes: &[u8]) -> Vec<Hierarchy> {
    let named = |line: membership::Membership<'_>| {
        let name = String::from_utf8_lossy(line.name).into_owned();
        let parts = name.split(',').filter(|part| !part.is_empty() && !part.contains('='));
        let controllers = parts.map(str::to_owned).collect();
        Hierarchy { id: line.hierarchy, name, controllers }
    };
    membership::parse(bytes).flatten().map(named).collect()
}

/// A v1 hierarchy without a controller, such as `name=elogind`, does not make a node hybrid.
fn mode(list: &[Hierarchy]) -> Mode {
    let v2 = list.iter().any(|hierarchy| hierarchy.id == HierarchyId::V2);
    let v1_controllers = list
        .iter()
        .any(|hierarchy| hierarchy.id != HierarchyId::V2 && !hierarchy.controllers.is_empty());
    match (v1_controllers, v2) {
        (_, false) => Mode::V1,
        (true, true) => Mode::Hybrid,
        (false, true) => Mode::V2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::testing::Tree;

    const CGROUPS: &str = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n\
        memory\t4\t14\t1\ncpu\t0\t1\t1\nhugetlb\t0\t1\t0\nbroken\n";

    #[track_caller]
    fn check(cgroup: &str, mode: Mode, memory: Option<u32>, v2: &[&str]) {
        let tree = Tree::new().file("proc/self/cgroup", cgroup).file("proc/cgroups", CGROUPS);
        let found = tree.host().hierarchies().unwrap();
        assert_eq!(found.mode, mode, "{cgroup:?}");
        assert_eq!(found.memory, memory.map(HierarchyId), "{cgroup:?}");
        let unified = found.list.iter().find(|hierarchy| hierarchy.id == HierarchyId::V2);
        let controllers = unified.map(|hierarchy| hierarchy.controllers.clone());
        assert_eq!(controllers.unwrap_or_default(), v2, "{cgroup:?}");
    }

    #[test]
    fn modes() {
        check("4:memory:/\n1:name=systemd:/\n", Mode::V1, Some(4), &[]);
        check("4:memory:/\n0::/\n", Mode::Hybrid, Some(4), &["cpu"]);
        check("0::/\n", Mode::V2, None, &["cpu"]);
        check("1:name=elogind:/\n0::/\n", Mode::V2, None, &["cpu"]);
    }

    #[test]
    fn names_and_controllers() {
        let list = parse(b"9:net_cls,name=x:/\n3:cpu,cpuacct:/a\n0::/\n");
        let controllers: Vec<_> = list.iter().map(|one| one.controllers.join("+")).collect();
        assert_eq!(controllers, ["net_cls", "cpu+cpuacct", ""]);
        let names: Vec<_> = list.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["net_cls,name=x", "cpu,cpuacct", ""]);
    }

    #[test]
    fn files_that_say_nothing_are_errors() {
        let missing = Tree::new().host().hierarchies().unwrap_err();
        assert!(missing.to_string().starts_with("could not read"), "{missing}");
        let empty = Tree::new().file("proc/self/cgroup", "?").host().hierarchies().unwrap_err();
        assert!(empty.to_string().ends_with("has no line that names a hierarchy"), "{empty}");
    }

    #[test]
    fn the_live_node_has_a_root_for_what_it_mounts() {
        let host = Host::live();
        let found = host.hierarchies().unwrap();
        for hierarchy in &found.list {
            if let Ok(root) = host.locate(hierarchy) {
                assert_eq!((root.hierarchy, root.id), (hierarchy.id, 1), "at {:?}", root.path());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            prop_assert!(parse(&bytes).len() <= lines);
            prop_assert!(parse_controllers(&bytes).iter().all(|row| !row.name.is_empty()));
        }
    }
}
