//! What real cgroup paths say of pods and containers, and what almost real ones do not.

use proptest::prelude::*;
use truant_core::path::{Container, container};

/// A pod's uid, and the same as systemd's unit names have it.
const UID: &str = "0f8ff8ee-a9a5-4e9c-9e1a-0d8c1f0c8f1e";
const UID_: &str = "0f8ff8ee_a9a5_4e9c_9e1a_0d8c1f0c8f1e";
/// A static pod's uid: the hash of its manifest.
const HASH: &str = "5d2f1c9b7a6e4d3c2b1a0f9e8d7c6b5a";
/// Two container ids.
const C1: &str = "9b3c1f0e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";
const C2: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// The path, the pod's uid and the container's id, empty for none. `{u}`, `{_}`, `{h}`, `{1}` and
/// `{2}` are the constants above.
const PATHS: [(&str, &str, &str); 66] = [
    // Kubernetes, cgroupfs driver: guaranteed, burstable, best effort; containerd.
    ("/kubepods/pod{u}", "{u}", ""),
    ("/kubepods/pod{u}/{1}", "{u}", "{1}"),
    ("/kubepods/burstable/pod{u}", "{u}", ""),
    ("/kubepods/burstable/pod{u}/{1}", "{u}", "{1}"),
    ("/kubepods/besteffort/pod{u}/{1}", "{u}", "{1}"),
    // CRI-O with cgroupfs, and its monitor.
    ("/kubepods/burstable/pod{u}/crio-{1}", "{u}", "{1}"),
    ("/kubepods/burstable/pod{u}/crio-conmon-{1}", "{u}", ""),
    // Kubernetes, systemd driver: guaranteed, burstable, best effort; containerd.
    ("/kubepods.slice/kubepods-pod{_}.slice", "{u}", ""),
    ("/kubepods.slice/kubepods-pod{_}.slice/cri-containerd-{1}.scope", "{u}", "{1}"),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice", "{u}", ""),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice\
         /cri-containerd-{1}.scope",
        "{u}",
        "{1}",
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{_}.slice\
         /cri-containerd-{1}.scope",
        "{u}",
        "{1}",
    ),
    // CRI-O with systemd: the container, below it, and the monitor.
    ("/kubepods.slice/kubepods-pod{_}.slice/crio-{1}.scope", "{u}", "{1}"),
    ("/kubepods.slice/kubepods-pod{_}.slice/crio-{1}.scope/container", "{u}", "{1}"),
    ("/kubepods.slice/kubepods-pod{_}.slice/crio-conmon-{1}.scope", "{u}", ""),
    // Docker below Kubernetes (dockershim, cri-dockerd), both drivers.
    ("/kubepods/burstable/pod{u}/docker/{1}", "{u}", "{1}"),
    ("/kubepods.slice/kubepods-pod{_}.slice/docker-{1}.scope", "{u}", "{1}"),
    // Static pods.
    ("/kubepods/burstable/pod{h}/{1}", "{h}", "{1}"),
    ("/kubepods/pod{h}", "{h}", ""),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{h}.slice\
         /cri-containerd-{1}.scope",
        "{h}",
        "{1}",
    ),
    // GKE (cgroupfs on v1, systemd on v2) and EKS (systemd).
    ("/kubepods/burstable/pod{u}/{1}", "{u}", "{1}"),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_}.slice\
         /cri-containerd-{2}.scope",
        "{u}",
        "{2}",
    ),
    // kind and minikube: the node is a container, the outermost pod counts.
    ("/docker/{2}/kubelet/kubepods/burstable/pod{u}/{1}", "{u}", "{1}"),
    (
        "/system.slice/docker-{2}.scope/kubelet.slice/kubelet-kubepods.slice\
         /kubelet-kubepods-pod{_}.slice/cri-containerd-{1}.scope",
        "{u}",
        "{1}",
    ),
    (
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice\
         /kubelet-kubepods-burstable-pod{_}.slice/cri-containerd-{1}.scope",
        "{u}",
        "{1}",
    ),
    (
        "/machine.slice/libpod-{2}.scope/container/kubelet.slice/kubelet-kubepods.slice\
         /kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod{_}.slice\
         /cri-containerd-{1}.scope",
        "{u}",
        "{1}",
    ),
    ("/docker/{2}/kubelet/kubepods/burstable", "", "{2}"),
    ("/system.slice/docker-{2}.scope/init.scope", "", "{2}"),
    // k3s and k3d.
    ("/kubepods/besteffort/pod{u}/{1}", "{u}", "{1}"),
    ("/k3s/kubepods/besteffort/pod{u}/{1}", "{u}", "{1}"),
    ("/docker/{2}/kubepods/besteffort/pod{u}/{1}", "{u}", "{1}"),
    // A kubelet with a cgroup root of its own.
    ("/kubelet/kubepods/pod{u}/{1}", "{u}", "{1}"),
    // What lies below a container: systemd, Docker and a cluster in a pod.
    ("/kubepods/burstable/pod{u}/{1}/init.scope", "{u}", "{1}"),
    ("/kubepods/burstable/pod{u}/{1}/system.slice/hog.service", "{u}", "{1}"),
    ("/kubepods/burstable/pod{u}/{1}/docker/{2}", "{u}", "{1}"),
    ("/kubepods/burstable/pod{u}/{1}/kubelet/kubepods/pod{h}/{2}", "{u}", "{1}"),
    (
        "/kubepods.slice/kubepods-pod{_}.slice/cri-containerd-{1}.scope/system.slice\
         /docker-{2}.scope",
        "{u}",
        "{1}",
    ),
    // A kubelet that speaks to systemd, and a runtime that does not.
    (
        "/system.slice/containerd.service/kubepods-burstable-pod{_}.slice:cri-containerd:{1}",
        "{u}",
        "{1}",
    ),
    ("/kubepods-pod{_}.slice:cri-containerd:{1}/init.scope", "{u}", "{1}"),
    // Docker and nerdctl alone.
    ("/docker/{1}", "", "{1}"),
    ("/docker/{1}/docker/{2}", "", "{1}"),
    ("/system.slice/docker-{1}.scope", "", "{1}"),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{1}.scope", "", "{1}"),
    ("/system.slice/nerdctl-{1}.scope", "", "{1}"),
    ("/ecs/7a1c/{1}", "", "{1}"),
    // Podman: as root, as a user, with cgroupfs, split, and its monitors.
    ("/machine.slice/libpod-{1}.scope", "", "{1}"),
    ("/machine.slice/libpod-{1}.scope/container", "", "{1}"),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{1}.scope/container",
        "",
        "{1}",
    ),
    ("/libpod_parent/libpod-{1}", "", "{1}"),
    ("/system.slice/web.service/libpod-payload-{1}", "", "{1}"),
    ("/machine.slice/libpod-conmon-{1}.scope", "", ""),
    ("/libpod_parent/conmon", "", ""),
    // No container at all.
    ("/", "", ""),
    ("", "", ""),
    ("/kubepods", "", ""),
    ("/kubepods.slice/kubepods-burstable.slice", "", ""),
    ("/system.slice/containerd.service", "", ""),
    ("/user.slice/user-0.slice/session-1.scope", "", ""),
    // Almost.
    ("/kubepods/pod{_}", "", ""),
    ("/kubepods.slice/kubepods-pod{u}.slice", "", ""),
    ("/kubepods/pod{u}0", "", ""),
    ("/kubepods.slice/evilkubepods-pod{_}.slice", "", ""),
    ("/kubepods.slice/kubepods-pod{_}.scope", "", ""),
    ("/docker/{1}0", "", ""),
    ("/system.slice/other-{1}.scope", "", ""),
    ("/kubepods/burstable/pod{u}/cri-containerd-{1}.slice", "{u}", ""),
];

#[test]
fn real_paths() {
    for (path, uid, id) in PATHS {
        let some = |text: &str| (!text.is_empty()).then(|| expand(text));
        let wanted = Container { pod_uid: some(uid), container_id: some(id) };
        let wanted = (wanted.pod_uid.is_some() || wanted.container_id.is_some()).then_some(wanted);
        assert_eq!(container(expand(path).as_bytes()), wanted, "{path}");
    }
}

#[test]
fn other_encodings_and_cases_are_no_names() {
    for path in [
        [b"/kubepods/pod\xff".as_slice(), UID.as_bytes()].concat(),
        [b"/docker/".as_slice(), C1.to_uppercase().as_bytes()].concat(),
        [b"/docker/\xf0\x9f".as_slice(), &C1.as_bytes()[2..]].concat(),
        [b"/docker/".as_slice(), C1.as_bytes(), b"\0"].concat(),
    ] {
        assert_eq!(container(&path), None, "{path:?}");
    }
    let around = [b"/\xff\xfe/".as_slice(), C1.as_bytes(), b"/\xff"].concat();
    let found = container(&around).expect("a container among other names");
    assert_eq!(found.container_id.as_deref(), Some(C1));
}

fn expand(text: &str) -> String {
    let names = [("{u}", UID), ("{_}", UID_), ("{h}", HASH), ("{1}", C1), ("{2}", C2)];
    names.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "kubepods",
        "kubepods-",
        "-pod",
        "pod",
        ".slice",
        ".scope",
        "/",
        ":",
        "-",
        "docker-",
        "libpod-",
        UID,
        UID_,
        HASH,
        C1,
    ];
    let piece = prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_say_something_well_formed_or_nothing(
        path in prop_oneof![pieces(), proptest::collection::vec(any::<u8>(), 0..300)]
    ) {
        let Some(Container { pod_uid, container_id }) = container(&path) else { return Ok(()) };
        prop_assert!(pod_uid.is_some() || container_id.is_some());
        if let Some(uid) = pod_uid {
            prop_assert!(matches!(uid.len(), 32 | 36), "{uid}");
            prop_assert!(!uid.contains('_'), "{uid}");
        }
        prop_assert!(container_id.is_none_or(|id| id.len() == 64));
    }

    #[test]
    fn every_uid_and_id_comes_back_from_both_drivers(
        uid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}",
        id in "[0-9a-f]{64}",
        class in proptest::sample::select(vec!["", "burstable", "besteffort"]),
        above in proptest::sample::select(vec!["", "kubelet", "a-b"]),
        prefix in proptest::sample::select(vec!["cri-containerd-", "crio-", "docker-"]),
    ) {
        let wanted = Some(Container { pod_uid: Some(uid.clone()), container_id: Some(id.clone()) });
        let cgroupfs = format!("/{above}/kubepods/{class}/pod{uid}/{id}");
        prop_assert_eq!(&container(cgroupfs.as_bytes()), &wanted);
        let dash = |text: &str| if text.is_empty() { String::new() } else { format!("{text}-") };
        let pod = format!("{}kubepods-{}pod{}", dash(above), dash(class), uid.replace('-', "_"));
        let systemd = format!("/kubepods.slice/{pod}.slice/{prefix}{id}.scope");
        prop_assert_eq!(container(systemd.as_bytes()), wanted);
    }
}
