//! The fields of kernel structures that the programs read: names here, offsets at run time.
//!
//! Rust emits no CO-RE relocations, so userspace looks each of these up in the running kernel's BTF
//! and hands the offsets over as a read-only global, indexed by [`Field`].

/// The offset of a field that the running kernel does not have.
pub const UNKNOWN: u32 = u32::MAX;

/// The name of a field in BTF.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FieldPath {
    /// The structure.
    pub structure: &'static str,
    /// The member, also where it sits in an anonymous member.
    pub member: &'static str,
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $name:ident = $structure:literal . $member:literal;)+) => {
        /// A field: the index into the global `OFFSETS`, and into [`FIELDS`].
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(usize)]
        pub enum Field {
            $($(#[doc = $doc])+ $name,)+
        }

        /// The names, by [`Field`].
        pub const FIELDS: &[(Field, FieldPath)] = &[
            $((Field::$name, FieldPath { structure: $structure, member: $member }),)+
        ];
    };
}

fields! {
    /// `int`: the thread's number.
    TaskPid = "task_struct"."pid";
    /// `int`: the process's number.
    TaskTgid = "task_struct"."tgid";
    /// `char[16]`.
    TaskComm = "task_struct"."comm";
    /// `u64`: ns since boot; of that name since 5.5.
    TaskStart = "task_struct"."start_boottime";
    /// `struct task_struct *`.
    TaskLeader = "task_struct"."group_leader";
    /// `struct css_set *`.
    TaskCgroups = "task_struct"."cgroups";
    /// `struct signal_struct *`.
    TaskSignal = "task_struct"."signal";
    /// `atomic_t`: threads that have not begun to exit.
    SignalLive = "signal_struct"."live";
    /// `int`: threads.
    SignalThreads = "signal_struct"."nr_threads";
    /// `struct cgroup_subsys_state *[]`, by `enum cgroup_subsys_id`.
    CssSetSubsys = "css_set"."subsys";
    /// `struct cgroup *`: the set's cgroup in the v2 hierarchy.
    CssSetDefault = "css_set"."dfl_cgrp";
    /// `struct list_head`: the set's links to its cgroup in every hierarchy.
    CssSetLinks = "css_set"."cgrp_links";
    /// `struct cgroup *`.
    LinkCgroup = "cgrp_cset_link"."cgrp";
    /// `struct list_head`: the link's node in `css_set::cgrp_links`.
    LinkNode = "cgrp_cset_link"."cgrp_link";
    /// `struct cgroup_subsys_state`: the cgroup's own.
    CgroupSelf = "cgroup"."self";
    /// `struct kernfs_node *`.
    CgroupNode = "cgroup"."kn";
    /// `struct cgroup_root *`.
    CgroupRoot = "cgroup"."root";
    /// `int`: the hierarchy's number; 0 is v2.
    RootHierarchy = "cgroup_root"."hierarchy_id";
    /// `struct cgroup *`.
    CssCgroup = "cgroup_subsys_state"."cgroup";
    /// `struct cgroup_subsys *`.
    CssSubsys = "cgroup_subsys_state"."ss";
    /// `struct cgroup_subsys_state *`.
    CssParent = "cgroup_subsys_state"."parent";
    /// `u64`: counts up over all states of all cgroups.
    CssSerial = "cgroup_subsys_state"."serial_nr";
    /// `u64`: on 64-bit kernels the inode number of the directory.
    NodeId = "kernfs_node"."id";
    /// `const char *`: the directory's name.
    NodeName = "kernfs_node"."name";
    /// `struct cgroup_subsys_state`, the first member.
    MemcgCss = "mem_cgroup"."css";
    /// `struct page_counter`: the one that `memory.current` shows.
    MemcgMemory = "mem_cgroup"."memory";
    /// `struct page_counter`: that of memory with swap in v1, and in v2 that of swap.
    MemcgMemsw = "mem_cgroup"."memsw";
}

const _: () = {
    let mut at = 0;
    while at < FIELDS.len() {
        assert!(FIELDS[at].0 as usize == at, "FIELDS is indexed by Field");
        at += 1;
    }
};
