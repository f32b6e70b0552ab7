//! All cgroups of a hierarchy, by walking its directories.
//!
//! Owns the walk. It is one pass over a tree that changes meanwhile: what is made behind it is
//! missed, and what goes away before it is not reported, so events must be traced before it.

use std::{os::fd::OwnedFd, rc::Rc};

use rustix::{
    fs::{AtFlags, FileType, Stat, fstat, statat},
    io::Errno,
};
use truant_core::{ids::CgroupKey, input::Input};

use super::{
    ReadError,
    cgroupfs::CgroupRoot,
    fsutil::{entry_buffer, for_each_entry, is_gone, open_dir},
    pair,
};

/// How many levels are walked. One directory is kept open for each.
const DEPTH: usize = 256;

/// What a walk came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TreeScan {
    /// Cgroups found, the root included.
    pub(crate) cgroups: usize,
    /// Cgroups that were removed during the walk.
    pub(crate) vanished: usize,
    /// Cgroups that were not looked into because they lie too deep, or could not be opened.
    pub(crate) unread: usize,
}

/// A directory that is still to be opened.
struct Pending {
    parent: Rc<OwnedFd>,
    parent_id: u64,
    id: u64,
    name: Box<[u8]>,
    depth: usize,
}

/// Walks these hierarchies, one after the other as [`CgroupRoot::walk`] does, and gives the sum.
pub(crate) fn walk_all(
    roots: &[CgroupRoot],
    emit: &mut dyn FnMut(Input),
) -> Result<TreeScan, ReadError> {
    let scans = pair::in_order(roots, CgroupRoot::walk, emit);
    scans.into_iter().try_fold(TreeScan::default(), |sum, scan| {
        let scan = scan?;
        Ok(TreeScan {
            cgroups: sum.cgroups + scan.cgroups,
            vanished: sum.vanished + scan.vanished,
            unread: sum.unread + scan.unread,
        })
    })
}

impl CgroupRoot {
    /// Calls `emit` with an [`Input::CgroupMade`] for every cgroup, parents before children.
    pub(crate) fn walk(&self, emit: &mut dyn FnMut(Input)) -> Result<TreeScan, ReadError> {
        let failed = |errno: Errno| ReadError::io(&self.path(), errno);
        let root = open_dir(self.dir(), ".").map_err(failed)?;
        let device = fstat(&root).map_err(failed)?.st_dev;
        let mut walk = Walk { device, buffer: entry_buffer(), ..Walk::default() };
        emit(self.made(self.id, None, Box::default()));
        walk.scan.cgroups = 1;
        walk.list(&Rc::new(root), self.id, 0).map_err(failed)?;
        while let Some(next) = walk.pending.pop() {
            match walk.enter(&next) {
                Ok(()) => {
                    walk.scan.cgroups += 1;
                    emit(self.made(next.id, Some(next.parent_id), next.name));
                }
                Err(errno) => walk.count(errno),
            }
        }
        Ok(walk.scan)
    }

    fn made(&self, id: u64, parent: Option<u64>, name: Box<[u8]>) -> Input {
        let key = CgroupKey { hierarchy: self.hierarchy, id };
        Input::CgroupMade { at: None, key, parent, name }
    }
}

#[derive(Default)]
struct Walk {
    device: u64,
    buffer: Vec<u8>,
    pending: Vec<Pending>,
    scan: TreeScan,
}

impl Walk {
    /// Looks whether a directory is still the one that was listed, and lists it in turn. One with
    /// two links has no directories in it. Most cgroups are such, and are not even opened.
    fn enter(&mut self, next: &Pending) -> Result<(), Errno> {
        let stat = statat(&*next.parent, &*next.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !self.is_same(&stat, next) {
            return Err(Errno::NOENT);
        }
        if stat.st_nlink != 2 {
            let dir = self.open(next)?;
            if next.depth >= DEPTH {
                self.scan.unread += 1;
            } else if let Err(errno) = self.list(&Rc::new(dir), next.id, next.depth) {
                self.count(errno);
            }
        }
        Ok(())
    }

    fn open(&self, next: &Pending) -> Result<OwnedFd, Errno> {
        let dir = open_dir(&*next.parent, &*next.name)?;
        let stat = fstat(&dir)?;
        self.is_same(&stat, next).then_some(dir).ok_or(Errno::NOENT)
    }

    /// Whether it is what was listed: another one of its name, or another file system mounted on
    /// it, is not.
    fn is_same(&self, stat: &Stat, next: &Pending) -> bool {
        stat.st_ino == next.id && stat.st_dev == self.device
    }

    /// `d_ino` is the cgroup's id, as the inode number is.
    fn list(&mut self, dir: &Rc<OwnedFd>, id: u64, depth: usize) -> Result<(), Errno> {
        let pending = &mut self.pending;
        for_each_entry(dir, &mut self.buffer, |entry| {
            let name = entry.file_name().to_bytes();
            if entry.file_type() == FileType::Directory && !matches!(name, b"." | b"..") {
                pending.push(Pending {
                    parent: Rc::clone(dir),
                    parent_id: id,
                    id: entry.ino(),
                    name: name.into(),
                    depth: depth + 1,
                });
            }
        })
    }

    fn count(&mut self, errno: Errno) {
        let counter = if is_gone(errno) { &mut self.scan.vanished } else { &mut self.scan.unread };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        fs::{self, File},
        os::unix::fs::{MetadataExt, symlink},
        path::{Path, PathBuf},
    };

    use proptest::prelude::*;
    use truant_core::{ids::HierarchyId, path};

    use super::*;
    use crate::{
        captures::{Capture, without_ids},
        host::testing::Tree,
    };

    fn root(path: &Path) -> CgroupRoot {
        let dir = File::open(path).unwrap().into();
        CgroupRoot::private(HierarchyId(7), dir, fs::metadata(path).unwrap().ino())
    }

    /// Walks, and joins the names to paths as whoever gets the inputs would.
    fn walked(path: &Path) -> (Vec<String>, TreeScan) {
        let mut paths = HashMap::<u64, PathBuf>::new();
        let mut list = Vec::new();
        let scan = root(path).walk(&mut |input| {
            let Input::CgroupMade { at: None, key, parent, name } = input else {
                panic!("not a cgroup: {input:?}");
            };
            assert_eq!(key.hierarchy, HierarchyId(7));
            let name = String::from_utf8(name.into()).unwrap();
            let whole = parent.map_or_else(|| "/".into(), |parent| paths[&parent].join(&name));
            let below = path.join(whole.strip_prefix("/").unwrap());
            assert_eq!(key.id, fs::metadata(below).unwrap().ino());
            list.push(whole.to_str().unwrap().to_owned());
            paths.insert(key.id, whole);
        });
        list.sort();
        (list, scan.unwrap())
    }

    #[test]
    fn parents_come_before_children_and_files_and_links_do_not_come() {
        let tree = Tree::new().dir("r/a/b/c").dir("r/a/d").dir("r/e").file("r/a/cgroup.procs", "");
        symlink(tree.path("r/a"), tree.path("r/link")).unwrap();
        let (paths, scan) = walked(&tree.path("r"));
        assert_eq!(paths, ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/e"]);
        assert_eq!(scan, TreeScan { cgroups: 6, vanished: 0, unread: 0 });
    }

    /// The memory hierarchy of the incident's node, where a pod's service has its own cgroup.
    #[test]
    fn a_service_outside_is_found() {
        let tree = include_str!("../../../tests/fixtures/incident-hybrid-5.10/tree");
        let memory = tree.lines().filter_map(|line| line.strip_prefix("/sys/fs/cgroup/memory"));
        let expected: Vec<_> =
            memory.map(|path| if path.is_empty() { "/" } else { path }).collect();
        let grown =
            expected.iter().fold(Tree::new().dir("r"), |tree, path| tree.dir(&format!("r{path}")));
        let (paths, _) = walked(&grown.path("r"));
        assert_eq!(paths, expected);
        let leaky = "/system.slice/containerd.service/system.slice/leaky.service";
        assert!(paths.iter().any(|path| path == leaky));
    }

    /// That all cgroups of a hierarchy are found, and which of them are a pod's or a container's by
    /// their paths: as `pod container path`.
    #[track_caller]
    fn check_node(capture: &Capture, mount: &str, count: usize, expected: &[&str]) {
        let cgroups = capture.cgroups(mount);
        let grown =
            cgroups.iter().fold(Tree::new().dir("r"), |tree, path| tree.dir(&format!("r{path}")));
        let (paths, scan) = walked(&grown.path("r"));
        assert_eq!(paths, cgroups);
        assert_eq!(scan, TreeScan { cgroups: count, vanished: 0, unread: 0 });
        let named = paths.iter().filter_map(|path| {
            let named = path::container(path.as_bytes())?;
            let pod = named.pod_uid.map_or("-".to_owned(), |uid| uid);
            let container = named.container_id.map_or("-".to_owned(), |id| without_ids(&id));
            Some(format!("{pod} {container} {}", without_ids(path)))
        });
        assert_eq!(named.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_memory_hierarchy_of_dockers_incident() {
        let uid = "5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";
        let expected = [
            &*format!("{uid} - /kubepods/burstable/pod{uid}"),
            &*format!("{uid} ID /kubepods/burstable/pod{uid}/ID"),
        ];
        check_node(&Capture::incident(), "/sys/fs/cgroup/memory", 16, &expected);
    }

    #[test]
    fn pods_on_v2() {
        let uid = "5f3a9c1e-0b7d-4c55-9a42-d3e8f1b2c6a7";
        let pod = "/kubepods.slice/kubepods-burstable.slice/\
            kubepods-burstable-pod5f3a9c1e_0b7d_4c55_9a42_d3e8f1b2c6a7.slice";
        let container = format!("{uid} ID {pod}/cri-containerd-ID.scope");
        let docker = "- ID /system.slice/docker-ID.scope";
        // The sandbox, too.
        let expected = [&*format!("{uid} - {pod}"), &*container, &*container, docker];
        check_node(&Capture::pods(), "/sys/fs/cgroup", 19, &expected);
    }

    #[test]
    fn what_lies_too_deep_is_counted() {
        let tree = Tree::new().dir(&format!("r{}", "/d".repeat(DEPTH + 2)));
        let (paths, scan) = walked(&tree.path("r"));
        assert_eq!(paths.len(), DEPTH + 1);
        assert_eq!(scan, TreeScan { cgroups: DEPTH + 1, vanished: 0, unread: 1 });
    }

    #[test]
    fn directories_that_vanish_meanwhile_are_counted() {
        let tree = Tree::new().dir("r/a").dir("r/b");
        let mut walked = 0;
        let scan = root(&tree.path("r")).walk(&mut |_| {
            walked += 1;
            if walked == 2 {
                // One of the two was found, and the other has been listed.
                fs::remove_dir(tree.path("r/a")).unwrap();
                fs::remove_dir(tree.path("r/b")).unwrap();
            }
        });
        assert_eq!(scan.unwrap(), TreeScan { cgroups: 2, vanished: 1, unread: 0 });
    }

    #[test]
    fn another_directory_of_the_same_name_is_not_taken_for_the_first() {
        let tree = Tree::new().dir("r/a").dir("r/b").dir("other");
        let mut ids = Vec::new();
        let scan = root(&tree.path("r")).walk(&mut |input| {
            let Input::CgroupMade { key, name, .. } = input else { return };
            ids.push(key.id);
            if ids.len() == 2 {
                let other = if &*name == b"a" { "r/b" } else { "r/a" };
                fs::rename(tree.path(other), tree.path("moved")).unwrap();
                fs::rename(tree.path("other"), tree.path(other)).unwrap();
            }
        });
        assert_eq!(scan.unwrap(), TreeScan { cgroups: 2, vanished: 1, unread: 0 });
        assert_eq!(ids.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_directory_is_found_once(
            dirs in prop::collection::btree_set("[ab]{1,2}(/[ab]{1,2}){0,4}", 0..12)
        ) {
            let grow = |tree: Tree, dir: &String| tree.dir(&format!("r/{dir}"));
            let tree = dirs.iter().fold(Tree::new().dir("r"), grow);
            let mut expected = vec!["/".to_owned()];
            for dir in &dirs {
                let ancestors = Path::new(dir).ancestors().filter(|path| *path != Path::new(""));
                expected.extend(ancestors.map(|path| format!("/{}", path.display())));
            }
            expected.sort();
            expected.dedup();
            prop_assert_eq!(walked(&tree.path("r")).0, expected);
        }
    }
}
