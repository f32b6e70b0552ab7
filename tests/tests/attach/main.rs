//! `cgroup_attach_task`: every way of moving a task, what it is called, and that none is missed.

mod hierarchies;
mod moves;
mod namespaces;
mod pods;
mod storms;
mod threads;

use std::process::ExitCode;

use truant_tests::{
    Case, Cgroup, Cgroups, Child, Hierarchy, Unmet, Watch, case, child::own_comm, lines::number,
    lines::text,
};

fn main() -> ExitCode {
    truant_tests::main(CASES)
}

const CASES: &[Case] = &[
    case("attach::a_process_leaves", moves::a_process_leaves),
    case("attach::a_process_comes_back", moves::a_process_comes_back),
    case("attach::what_it_charges_outside", moves::what_it_charges_outside),
    case("attach::a_process_moves_on_outside", moves::a_process_moves_on_outside),
    case("attach::a_move_to_where_it_is", moves::a_move_to_where_it_is),
    case("attach::a_move_that_is_refused", moves::a_move_that_is_refused),
    case("attach::names_of_any_bytes", moves::names_of_any_bytes),
    case("attach::a_process_that_ends_right_after", moves::a_process_that_ends_right_after),
    case("attach::processes_that_end_meanwhile", moves::processes_that_end_meanwhile),
    case("attach::between_pods_of_cgroupfs", pods::between_pods_of_cgroupfs),
    case("attach::between_pods_of_systemd", pods::between_pods_of_systemd),
    case("attach::inside_a_pod", pods::inside_a_pod),
    case("attach::a_process_of_many_threads", threads::a_process_of_many_threads),
    case("attach::one_thread_on_v1", threads::one_thread_on_v1),
    case("attach::one_thread_on_v2", threads::one_thread_on_v2),
    case("attach::every_hierarchy", hierarchies::every_hierarchy),
    case(
        "attach::from_a_cgroup_namespace_of_its_own",
        namespaces::from_a_cgroup_namespace_of_its_own,
    ),
    case("attach::many_moves_on_two_cpus", storms::many_moves_on_two_cpus),
    case("attach::a_storm_against_a_stopped_reader", storms::a_storm_against_a_stopped_reader),
];

/// A guarded cgroup and one outside, a process in the first, and a run that watches.
struct Scene {
    child: Child,
    inside: Cgroup,
    outside: Cgroup,
    cgroups: Cgroups,
}

impl Scene {
    fn of_memory() -> Result<Self, Unmet> {
        Ok(Self::of(Hierarchy::memory()?))
    }

    fn of(hierarchy: Hierarchy) -> Self {
        let cgroups = Cgroups::new(hierarchy);
        let (inside, outside) = (cgroups.make("guarded/pod"), cgroups.make("outside/service"));
        let child = Child::start();
        inside.take(child.pid());
        Self { child, inside, outside, cgroups }
    }

    fn guard(&self) -> String {
        self.cgroups.path("guarded")
    }

    fn watch(&self) -> Watch {
        Watch::start(&["--guard", &self.guard()])
    }

    /// That `finding` is of this process, from `from` to `to`, moved by this very thread.
    fn assert_moved(&self, finding: &serde_json::Value, from: &Cgroup, to: &Cgroup) {
        assert_eq!(number(finding, "pid"), u64::from(self.child.pid()));
        assert_eq!(text(finding, "from"), from.path);
        assert_eq!(number(finding, "from_id"), from.id());
        assert_eq!(text(finding, "to"), to.path);
        assert_eq!(number(finding, "to_id"), to.id());
        assert_eq!(text(finding, "hierarchy"), self.cgroups.hierarchy.name);
        assert_eq!(number(&finding["mover"], "pid"), u64::from(std::process::id()));
        assert_eq!(text(&finding["mover"], "comm"), own_comm());
    }
}
