//! The cgroup that a runtime gave a container, as a path. Reads no cgroup.

use super::bounds;

/// The path that `cgroupsPath` of a runtime specification means: itself under the cgroupfs driver,
/// `slice:prefix:name` under the systemd driver. None where it depends on who started the runtime.
pub(super) fn resolve(given: &str) -> Option<Box<[u8]>> {
    let parts: Vec<_> = given.split(':').collect();
    match parts[..] {
        [slice, prefix, name] if !slice.contains('/') => scope(slice, prefix, name),
        _ => bounds::path(given.to_owned()),
    }
}

/// The path of the unit that systemd makes for a container.
pub(super) fn scope(slice: &str, prefix: &str, name: &str) -> Option<Box<[u8]>> {
    let slice = expanded(if slice.is_empty() { "system.slice" } else { slice })?;
    let unit = match (name.strip_suffix(".slice").is_some(), prefix) {
        (true, _) => name.to_owned(),
        (false, "") => format!("{name}.scope"),
        (false, _) => format!("{prefix}-{name}.scope"),
    };
    bounds::path(format!("{slice}/{unit}"))
}

/// The path of a slice, which has every slice above it in its name: `a-b.slice` is in `a.slice`.
fn expanded(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice")?;
    if name == "-" {
        return Some(String::new());
    }
    if name.is_empty() || name.split('-').any(str::is_empty) {
        return None;
    }
    let ends = name.match_indices('-').map(|(at, _)| at).chain([name.len()]);
    let above: Vec<_> = ends.map(|end| format!("/{}.slice", &name[..end])).collect();
    Some(above.concat())
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[track_caller]
    fn check(given: &str, expected: Option<&str>) {
        let path = resolve(given).map(|path| String::from_utf8(path.into_vec()).unwrap());
        assert_eq!(path.as_deref(), expected, "{given}");
    }

    #[test]
    fn the_cgroupfs_drivers_paths_are_themselves() {
        check("/kubepods/besteffort/pod1/abc", Some("/kubepods/besteffort/pod1/abc"));
        check("/docker/abc", Some("/docker/abc"));
    }

    #[test]
    fn the_systemd_drivers_slices_are_expanded() {
        check(
            "kubepods-burstable-pod1_2.slice:cri-containerd:abc",
            Some(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice\
                 /cri-containerd-abc.scope",
            ),
        );
        check("system.slice:docker:abc", Some("/system.slice/docker-abc.scope"));
        check(":docker:abc", Some("/system.slice/docker-abc.scope"));
        check("-.slice:docker:abc", Some("/docker-abc.scope"));
        check("a.slice::abc", Some("/a.slice/abc.scope"));
        check("a.slice:x:b.slice", Some("/a.slice/b.slice"));
    }

    #[test]
    fn what_names_no_place_is_none() {
        for given in ["", "abc", "relative/abc", "x:y:z", "a--b.slice:x:y", ".slice:x:y"] {
            check(given, None);
        }
    }
}
