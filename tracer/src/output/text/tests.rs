//! What people see, as they see it.

use unicode_width::UnicodeWidthStr as _;

use truant_core::{
    input::Limit,
    report::{Finding, FindingKind, Ledger, Report, Verdict},
};

use super::*;
use crate::output::samples::{self, CGROUPFS, SYSTEMD, audit, memory};

fn shown(reports: &[Report], color: bool) -> String {
    let mut bytes = Vec::new();
    let mut sink = TextSink::new(&mut bytes, TextOptions { color, zone: TimeZone::UTC });
    for report in reports {
        sink.show(report).unwrap();
    }
    String::from_utf8(bytes).unwrap()
}

fn after_header(report: Report) -> String {
    let header = Report::Header(Box::new(samples::facts()));
    let lines = shown(std::slice::from_ref(&header), false).len();
    shown(&[header, report], false).split_off(lines)
}

fn find(finding: Finding) -> Report {
    Report::Finding(Box::new(finding))
}

#[test]
fn the_header_names_the_node_and_the_ways() {
    insta::assert_snapshot!(shown(&[Report::Header(Box::new(samples::facts()))], false), @r"
truant 0.1.0, kernel 6.1.0-28-cloud-amd64, cgroup v1 and v2 (hybrid), guarding any kubepods root
  sees moves, charges by kprobe; lifecycle, processes, oom by tracepoint
  does not see births: no way is left
  fentry refused for moves, charges: operation not permitted (EPERM) when the program was loaded
  oom: constraint not told before 6.12
");
}

#[test]
fn a_finding_is_one_line() {
    use FindingKind::{BornOutside, CameBack, Left, Moved};
    let service = "/system.slice/containerd.service/system.slice/hog.service";
    let mut text = String::new();
    for (kind, comm, from, to) in [
        (Left, "stress-ng", "/docker/web", "/init.scope"),
        (Left, "systemd", CGROUPFS, "/init.scope"),
        (BornOutside, "(sd-pam)", SYSTEMD, service),
        (Moved, "tmux: server", SYSTEMD, CGROUPFS),
        (CameBack, "a\x1b[31mb\nc", service, CGROUPFS),
    ] {
        let (comm, from, to) = (comm.as_bytes(), from.as_bytes(), to.as_bytes());
        text += &after_header(find(samples::finding(kind, comm, from, to)));
    }
    insta::assert_snapshot!(text, @r#"
12:00:00 left 1234 stress-ng memory:/docker/web → /init.scope by 77 systemd
12:00:00 left 1234 systemd memory:/kubepods/…/pod0f3c1a52…/9f8e7d6c… → /init.scope by 77 systemd
12:00:00 born outside 1234 (sd-pam) memory:…/pod7b2e9d10…/9f8e7d6c… → …/hog.service by 77 systemd
12:00:00 moved 1234 "tmux: serv…" memory:…/pod7b2e9d…/9f8e7d… → …/pod0f3c1a…/9f8e7d… by 77 systemd
12:00:00 came back 1234 a\x1b[3… memory:…/hog.service → …/pod0f3c1a52…/9f8e7d6c… by 77 systemd
"#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn a_finding_says_whose_it_is_and_what_limits_are_lost() {
    let home = || Some(Box::new(audit::home()));
    let other = Some(Box::new(audit::nameless("7b2e9d10-7d2e-4b1c-9a55-1c2d3e4f5a6b")));
    let scope = format!("{CGROUPFS}/init.scope");
    let (inside, limits) = (CGROUPFS.as_bytes(), Some(audit::limits()));
    let of = |kind, from: &[u8], to: &[u8]| {
        let finding = samples::finding(kind, b"stress-ng", from, to);
        Finding { home: home(), limits, ..finding }
    };
    let seen = of(FindingKind::Left, scope.as_bytes(), b"/init.scope");
    let out = of(FindingKind::AlreadyOut, inside, b"/system.slice/leaky.service");
    let named = |length| {
        let mut home = audit::home();
        let names = home.names.as_mut().unwrap();
        names.pod = Some("pod-".repeat(length));
        Some(Box::new(home))
    };
    let text: String = [
        Finding { mover_home: home(), ..seen.clone() },
        Finding { mover_home: other, limits: None, ..seen },
        Finding { mover: None, ..out.clone() },
        Finding { mover: None, from: samples::place(1, b"/a"), ..out.clone() },
        Finding { limits: None, ..of(FindingKind::CameBack, b"/init.scope", inside) },
        Finding { mover_home: home(), limits: None, ..of(FindingKind::Left, inside, b"/") },
        Finding { home: named(10), ..out.clone() },
        Finding { home: named(60), ..out },
    ]
    .map(|finding| after_header(find(finding)))
    .concat();
    insta::assert_snapshot!(text, @r"
12:00:00 left 1234 stress-ng memory:default/dev-env/main/init.scope → /init.scope by 77 systemd
         the mover is of its own pod, memory 512 MiB → none, pids 100 → none
12:00:00 left 1234 stress-ng memory:default/dev-env/main/init.scope → /init.scope by 77 systemd
         the mover is of pod 7b2e9d10… (container 9f8e7d6c…)
12:00:00 already out 1234 stress-ng memory:default/dev-env/main → /system.slice/leaky.service
         memory 512 MiB → none, pids 100 → none
12:00:00 already out 1234 stress-ng memory:/a → /system.slice/leaky.service
         of default/dev-env/main, memory 512 MiB → none, pids 100 → none
12:00:00 came back 1234 stress-ng memory:/init.scope → default/dev-env/main by 77 systemd
12:00:00 left 1234 stress-ng memory:default/dev-env/main → / by 77 systemd
         the mover is of its own pod
12:00:00 already out 1234 stress-… memory:…/pod0f3c1a52…/9f8e7d6c… → …/leaky.service by 77 systemd
         of default/pod-pod-po…-pod-pod-/main, memory 512 MiB → none, pids 100 → none
12:00:00 already out 1234 stress-… memory:…/pod0f3c1a52…/9f8e7d6c… → …/leaky.service by 77 systemd
         of default/pod-pod-po…-pod-pod-/main, memory 512 MiB → none, pids 100 → none
");
}

#[test]
fn what_belongs_to_a_finding_is_said_with_it_or_added() {
    let of = |kind| Finding {
        home: Some(Box::new(audit::home())),
        limits: Some(audit::limits()),
        ..samples::finding(kind, b"stress-ng", CGROUPFS.as_bytes(), b"/system.slice/leaky.service")
    };
    let also = vec![samples::also("pids"), samples::also("devices"), samples::also("name=systemd")];
    let left = Finding { also, ..of(FindingKind::Left) };
    let born = Finding { times: 12, ..of(FindingKind::BornOutside) };
    let threads = Finding { home: None, limits: None, times: 3, ..left.clone() };
    let update = |finding, outside, is_over| {
        Report::Update(Box::new(samples::update(finding, outside, is_over)))
    };
    let text: String = [
        find(left.clone()),
        find(threads.clone()),
        update(left, 100 << 20, false),
        update(born, -4096, true),
        update(Finding { also: vec![], times: 1, ..threads }, 0, false),
    ]
    .map(after_header)
    .concat();
    insta::assert_snapshot!(text, @r"
12:00:00 left 1234 stress-ng memory:default/dev-env/main → /system.slice/leaky.service by 77 systemd
         memory 512 MiB → none, pids 100 → none
         also in pids, devices, name=systemd
12:00:00 left 1234 stress-ng memory:…/pod0f3c1a…/9f8e7d… → /system.slice/leaky.service by 77 systemd
         3 threads, one by one; also in pids, devices, name=systemd
12:00:05 still out 1234 stress-ng in …/leaky.service: 100 MiB charged outside since 12:00:00
         of default/dev-env/main, also in pids, devices, name=systemd
12:00:05 was out 1234 stress-ng in …/leaky.service: −4.0 KiB charged outside since 12:00:00
         of default/dev-env/main, 12 children were born there
12:00:05 still out 1234 stress-ng in /system.slice/leaky.service: 0 B charged outside since 12:00:00
");
}

#[test]
fn controllers_that_the_hierarchy_does_not_name_are_named() {
    let mut finding = samples::finding(FindingKind::Left, b"sh", b"/docker/web", b"/");
    finding.hierarchy = "v2".to_owned();
    finding.lost_controllers = vec!["cpu".to_owned(), "memory".to_owned()];
    finding.whole_process = false;
    insta::assert_snapshot!(after_header(find(finding)), @r"
12:00:00 left 1234/1234 sh v2:/docker/web → / by 77 systemd, lost cpu,memory
");
}

#[test]
fn the_ledger_is_a_table_in_order_of_change() {
    insta::assert_snapshot!(after_header(Report::Charges(samples::ledger())), @r"
12:00:00 cgroup                                  held   charged uncharged fail who
  /system.slice/leaky.service out             400 MiB  +200 MiB −11.0 MiB      1234 stress-ng
  …/pod7b2e9d10…/9f8e7d6c…                    512 MiB +48.0 MiB              3 1234 stress-ng
  /system.slice/gone.service  out gone polled 7.0 MiB            −1.0 MiB
  …/pod0f3c1a52…/9f8e7d6c…                    2.9 MiB  +4.0 KiB  −8.0 KiB      1234 stress-ng
  pods that charged outside, charged less uncharged since tracing began:
    default/dev-env: 14.0 MiB inside, 207 MiB outside: …/leaky.service 206 MiB, /init.scope 1.0 MiB
");
}

#[test]
fn of_many_pods_that_charged_outside_a_few_are_named() {
    let mut ledger = samples::ledger();
    ledger.rows.truncate(1);
    ledger.pods = vec![ledger.pods.swap_remove(0); 6];
    let text = after_header(Report::Charges(ledger));
    assert_eq!(text.matches("    default/dev-env: ").count(), 4);
    assert!(text.ends_with("\n    and 2 more\n"), "{text}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "nearly all of them are what is expected")]
fn a_kill_says_whom_what_ran_out_and_who_held_it() {
    let mib = |count: u64| Some(Limit::Of(count << 20));
    let long = |mut finding: Finding| {
        let names = finding.home.as_mut().unwrap().names.as_mut().unwrap();
        names.pod = Some("pod-".repeat(10));
        finding
    };
    let unsure = |mut finding: Finding| {
        finding.home.as_mut().unwrap().is_sure = false;
        finding
    };
    let text: String = [
        memory::limit(mib(512)),
        long(memory::limit(mib(512))),
        memory::limit(None),
        memory::node(),
        unsure(Finding { kill: None, ..memory::node() }),
        memory::host(),
        memory::unknown(),
    ]
    .map(|finding| after_header(find(finding)))
    .concat();
    insta::assert_snapshot!(text, @r#"
12:00:00 OOM killed 1234 stress-ng of default/dev-env/main
         the memory limit of /kubepods/burstable/pod0f3c1a52-7d2…/9f8e7d6c5b4a… (512 MiB) ran out
         its pod held 512 MiB inside; 0 B net outside since tracing began
12:00:00 OOM killed 1234 stress-ng of default/pod-pod-po…-pod-pod-/main
         the memory limit of /kubepods/burstable/pod0f3c1a52-7d2…/9f8e7d6c5b4a… (512 MiB) ran out
         its pod held 512 MiB inside; 0 B net outside since tracing began
12:00:00 OOM killed 1234 stress-ng of default/dev-env/main
         the memory limit of /kubepods/burstable/pod0f3c1a52-7d2e-4b…/9f8e7d6c5b4a3928… ran out
         its pod held 512 MiB inside; 0 B net outside since tracing began
12:00:00 OOM killed 1234 stress-ng of default/dev-env/main: the node ran out of memory
         it was outside, in /system.slice/leaky.service
         its pod held 14.1 MiB inside; 207 MiB net outside since tracing began
         of the node's 3.0 GiB, 44.0 MiB were free and 20.0 MiB available
         most outside of pods: …/leaky.service 206 MiB, …/containerd.service 44.0 MiB, 2 more
12:00:00 OOM killed 1234 stress-ng perhaps of default/dev-env/main: it is not known what ran out
         it was outside, in /system.slice/leaky.service
         it is not known what its pod held inside; 0 B net outside since tracing began
12:00:00 OOM killed 1234 stress-ng in /user.slice: the node ran out of memory
         of the node's 3.0 GiB, 44.0 MiB were free and 20.0 MiB available
         most outside of pods: …/leaky.service 206 MiB, …/containerd.service 44.0 MiB, 2 more
12:00:00 OOM killed 7 "": it is not known what ran out
"#);
}

#[test]
fn cgroups_that_look_the_same_are_told_apart() {
    let under = |at: u64| {
        let path = format!("/a-service-with-quite-a-long-name-{at}.service/system.slice/b.service");
        let mut row =
            samples::row(path.as_bytes(), samples::sums(at, 0, 0), samples::sums(at, 0, 0));
        row.place = samples::place(at, path.as_bytes());
        row
    };
    let rows = vec![under(4096), under(8192)];
    let from = rows[0].place.path.clone().unwrap();
    let to = rows[1].place.path.clone().unwrap();
    let finding = samples::finding(FindingKind::Moved, b"sh", &from, &to);
    let ledger = Ledger { at: samples::AT, rows, pods: vec![] };
    let text = after_header(Report::Charges(ledger)) + &after_header(find(finding));
    insta::assert_snapshot!(text, @r"
12:00:00 cgroup                         held  charged uncharged fail who
  …/system.slice/b.service #8192 out 8.0 KiB +8.0 KiB                1234 stress-ng, others
  …/system.slice/b.service #4096 out 4.0 KiB +4.0 KiB                1234 stress-ng, others
12:00:00 moved 1234 sh memory:…/b.service #11 → …/b.service #12 by 77 systemd
");
}

#[test]
fn a_ledger_without_changes_is_silent() {
    let mut ledger = samples::ledger();
    for row in &mut ledger.rows {
        row.interval = samples::sums(0, 0, 0);
    }
    assert_eq!(after_header(Report::Charges(ledger)), "");
}

#[test]
fn the_rows_that_do_not_fit_the_table_are_summed() {
    let mut ledger = samples::ledger();
    ledger.pods.clear();
    ledger.rows = (1..=10)
        .map(|at| {
            let path = format!("/system.slice/unit-{at}.service");
            samples::row(
                path.as_bytes(),
                samples::sums(at << 12, 0, 0),
                samples::sums(at << 12, 0, 0),
            )
        })
        .collect();
    let text = after_header(Report::Charges(ledger));
    assert_eq!(text.lines().count(), 10);
    assert!(text.ends_with("  and 2 more cgroups: +12.0 KiB −0 B\n"), "{text}");
}

#[test]
fn the_summary_ends_with_the_verdict() {
    let mut text = String::new();
    for verdict in [Verdict::Clean, Verdict::Found, Verdict::Inconclusive] {
        text += &after_header(Report::Summary(Box::new(samples::summary(verdict))));
    }
    insta::assert_snapshot!(text, @r"
12:00:00 end: 120 moves seen, 4 that changed nothing
clean: nobody left, and nothing was missed
12:00:00 end: 120 moves seen, 4 that changed nothing
found: 2 left, 1 born outside
12:00:00 end: 120 moves seen, 4 that changed nothing
  LOST 12 ring full: events came faster than they were read; findings may be missing
  NOT SEEN births
inconclusive: 2 left, 1 born outside, but not all was seen, so there may be more
");
}

#[test]
fn who_could_get_out_is_said_even_where_nobody_is() {
    let mut summary = samples::summary(Verdict::Clean);
    summary.findings.insert(FindingKind::Exposed, 2);
    let mut text = after_header(Report::Summary(Box::new(summary.clone())));
    summary.findings.insert(FindingKind::AlreadyOut, 3);
    summary.verdict = Verdict::Found;
    text += &after_header(Report::Summary(Box::new(summary)));
    insta::assert_snapshot!(text, @r"
12:00:00 end: 120 moves seen, 4 that changed nothing
clean: nobody left, and nothing was missed; 2 exposed containers could let somebody out
12:00:00 end: 120 moves seen, 4 that changed nothing
found: 3 already out, 2 exposed
");
}

#[test]
fn nothing_is_wider_than_the_screen_or_leaves_its_line() {
    let mut reports = samples::reports();
    let report = Report::Header(Box::new(samples::widest_facts()));
    reports.extend([
        report,
        Report::Charges(samples::widest_ledger()),
        find(samples::widest(b"x")),
    ]);
    for report in &reports {
        let text = shown(std::slice::from_ref(report), false);
        for line in text.lines() {
            assert!(line.width() <= COLUMNS, "{} columns: {line}", line.width());
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        if matches!(report, Report::Finding(_)) {
            let more: Vec<&str> = text.lines().skip(1).collect();
            let most = if text.contains(" OOM killed ") { 5 } else { 2 };
            assert!(more.len() <= most && more.iter().all(|it| it.starts_with("    ")), "{text}");
        }
    }
}

#[test]
fn the_widest_finding_still_says_where_from_and_where_to() {
    for name in samples::NASTY {
        let text = shown(&[find(samples::widest(name))], false);
        assert!(text.contains(" → ") && text.contains(" by 4294967295 "), "{text}");
    }
}

#[test]
fn colours_come_only_when_asked_for_and_are_taken_back() {
    for report in samples::reports() {
        let plain = shown(std::slice::from_ref(&report), false);
        let colored = shown(&[report], true);
        assert!(!plain.contains('\x1b'));
        for line in colored.lines().filter(|line| line.contains('\x1b')) {
            assert!(line.matches("\x1b[").count() >= 2, "{line:?}");
        }
    }
    let finding = samples::finding(FindingKind::Left, b"sh", b"/docker/a", b"/");
    assert!(shown(&[find(finding)], true).contains("\x1b[31m"));
}

#[test]
fn a_reader_that_went_away_is_a_broken_pipe() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let report = Report::Summary(Box::default());
    let options = TextOptions { color: false, zone: TimeZone::UTC };
    let text = TextSink::new(Closed, options).show(&report).unwrap_err();
    let json = crate::output::JsonSink::new(Closed).show(&report).unwrap_err();
    assert_eq!(text.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(json.kind(), io::ErrorKind::BrokenPipe);
}
