//! Which patterns guard what, which are refused, and which roots there are.

use proptest::prelude::*;
use truant_core::{
    Engine,
    guard::{Guard, PatternError},
    ids::{BootTime, CgroupKey, HierarchyId},
    input::Input,
};

/// The pattern, empty for the default; the path; the guarded root in it, empty for none.
const MATCHES: [(&str, &str, &str); 34] = [
    ("", "/kubepods", "/kubepods"),
    ("", "/kubepods/burstable/pod1/c", "/kubepods"),
    ("", "/kubepods.slice/kubepods-burstable.slice", "/kubepods.slice"),
    ("", "/kubelet.slice/kubelet-kubepods.slice/x", "/kubelet.slice/kubelet-kubepods.slice"),
    ("", "/kubelet/kubepods/pod1", "/kubelet/kubepods"),
    ("", "/docker/9/kubelet/kubepods/pod1/kubepods", "/docker/9/kubelet/kubepods"),
    ("", "/", ""),
    ("", "", ""),
    ("", "/system.slice", ""),
    ("", "/mykubepods", ""),
    ("", "/kubepods2/x", ""),
    ("", "/kubepods.slice.d", ""),
    ("", "/kubepods-burstable.slice/x", ""),
    ("", "/kubepods-pod1.slice:cri-containerd:9", ""),
    ("docker", "/docker/1", "/docker"),
    ("docker", "/system.slice/docker/1", "/system.slice/docker"),
    ("docker", "/docker.slice/1", ""),
    ("/docker", "/docker/1", "/docker"),
    ("/docker", "/system.slice/docker/1", ""),
    ("/docker/", "/docker", "/docker"),
    ("/a/b", "/a/b/c", "/a/b"),
    ("/a/b", "/a", ""),
    ("/a/b", "/x/a/b", ""),
    ("a/b", "/x/a/b/c", "/x/a/b"),
    ("/machine.slice/*", "/machine.slice", ""),
    ("/machine.slice/*", "/machine.slice/x/y", "/machine.slice/x"),
    ("libpod-*.scope", "/machine.slice/libpod-1.scope", "/machine.slice/libpod-1.scope"),
    ("libpod-*.scope", "/machine.slice/libpod-1/x.scope", ""),
    ("*", "/a/b", "/a"),
    ("*a*b*", "/xxaxxbxx", "/xxaxxbxx"),
    ("*a*b*", "/bbbaaa", ""),
    ("*ab", "/aab", "/aab"),
    ("a**b", "/ab", "/ab"),
    ("größe*", "/größer", "/größer"),
];

#[test]
fn patterns_find_the_shallowest_root() {
    for (pattern, path, root) in MATCHES {
        let guard =
            if pattern.is_empty() { Guard::default() } else { Guard::parse(pattern).unwrap() };
        let wanted = (!root.is_empty()).then_some(root.len());
        assert_eq!(guard.root(path.as_bytes()), wanted, "{pattern} on {path}");
        assert_eq!(guard.is_root(path.as_bytes()), !root.is_empty() && root == path);
    }
}

#[test]
fn bad_patterns_are_refused_with_a_reason() {
    for (pattern, error, words) in [
        ("", PatternError::Empty, "the pattern names no cgroup"),
        ("/", PatternError::Empty, "the pattern names no cgroup"),
        ("//", PatternError::Empty, "the pattern names no cgroup"),
        ("a//b", PatternError::EmptyComponent, "the pattern has two slashes in a row"),
        ("/a/../b", PatternError::Dots, "the pattern has `.` or `..`, which is no cgroup's name"),
        ("./a", PatternError::Dots, "the pattern has `.` or `..`, which is no cgroup's name"),
        (
            "a\nb",
            PatternError::Control,
            "the pattern has a NUL or a newline, which no cgroup's name has",
        ),
    ] {
        assert_eq!(Guard::parse(pattern), Err(error), "{pattern:?}");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn several_patterns_guard_together() {
    let (guard, bad) = Guard::of(&["/docker".into(), "..".into(), "machine.slice".into()]);
    assert_eq!(bad, 1);
    assert!(guard.is_root(b"/docker"));
    assert!(guard.is_root(b"/x/machine.slice"));
    assert!(!guard.is_root(b"/kubepods"));
    assert_eq!(Guard::of(&[]), (Guard::default(), 0));
}

#[test]
fn the_engine_names_the_roots_there_are() {
    let mut engine = Engine::new();
    let cgroups = [
        (0, 1, None, ""),
        (0, 2, Some(1), "system.slice"),
        (0, 3, Some(2), "kubepods"),
        (0, 4, Some(3), "pod1"),
        (4, 1, None, ""),
        (4, 2, Some(1), "docker"),
        (4, 3, Some(1), "system.slice"),
        (4, 4, Some(1), "kubepods.slice"),
    ];
    for (hierarchy, id, parent, name) in cgroups {
        let key = CgroupKey { hierarchy: HierarchyId(hierarchy), id };
        engine.feed(
            Input::CgroupMade { at: None, key, parent, name: name.as_bytes().into() },
            &mut vec![],
        );
    }
    let key = CgroupKey { hierarchy: HierarchyId(4), id: 4 };
    engine.feed(Input::CgroupRemoved { at: BootTime(1), key }, &mut vec![]);
    let text = |paths: std::collections::BTreeSet<Box<[u8]>>| -> Vec<_> {
        paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    };
    assert_eq!(text(engine.guard_roots()), ["/system.slice/kubepods"]);
    assert_eq!(
        text(engine.possible_roots()),
        ["/docker", "/system.slice", "/system.slice/kubepods"]
    );
}

proptest! {
    #[test]
    fn any_pattern_on_any_path_ends(pattern in "[/*ab.]{0,12}", path in "[/ab.]{0,40}") {
        if let Ok(guard) = Guard::parse(&pattern)
            && let Some(root) = guard.root(path.as_bytes())
        {
            prop_assert!(guard.is_root(&path.as_bytes()[..root]));
        }
    }
}
