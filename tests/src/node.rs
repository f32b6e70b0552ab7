//! The cgroup hierarchies that the node has mounted. It makes none but the named one that tests
//! of v1 need.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::suite::Unmet;

/// A mounted hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hierarchy {
    /// As findings call it: `v2`, the controllers with commas, or `name=…`.
    pub name: String,
    /// Where its root is mounted.
    pub root: PathBuf,
}

impl Hierarchy {
    /// Whether it is the v2 hierarchy.
    pub fn is_v2(&self) -> bool {
        self.name == "v2"
    }

    /// All that are mounted.
    pub fn all() -> Vec<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo is readable");
        let names = fs::read_to_string("/proc/self/cgroup").expect("own cgroups are readable");
        names.lines().filter_map(|line| find(line, &mounts)).collect()
    }

    /// The one whose limits on memory hold.
    ///
    /// # Errors
    /// If no mounted hierarchy has the controller.
    pub fn memory() -> Result<Self, Unmet> {
        Self::all()
            .into_iter()
            .find(Self::has_memory)
            .ok_or_else(|| Unmet("no cgroup hierarchy has the memory controller".to_owned()))
    }

    /// The v2 hierarchy.
    ///
    /// # Errors
    /// If it is not mounted.
    pub fn v2() -> Result<Self, Unmet> {
        Self::all()
            .into_iter()
            .find(Self::is_v2)
            .ok_or_else(|| Unmet("cgroup v2 is not mounted".to_owned()))
    }

    fn has_memory(&self) -> bool {
        if !self.is_v2() {
            return self.name.split(',').any(|controller| controller == "memory");
        }
        let offered = fs::read_to_string(self.root.join("cgroup.controllers")).unwrap_or_default();
        offered.split_whitespace().any(|controller| controller == "memory")
    }
}

/// A hierarchy of v1 with a name and no controller, mounted until this is dropped.
#[derive(Debug)]
pub struct Named {
    /// The hierarchy.
    pub hierarchy: Hierarchy,
    _folder: tempfile::TempDir,
}

impl Named {
    /// Mounts one of this name.
    ///
    /// # Errors
    /// If the kernel has no v1.
    pub fn mount(name: &str) -> Result<Self, Unmet> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let options = std::ffi::CString::new(format!("none,name={name}")).expect("has no NUL");
        let flags = MountFlags::empty();
        mount("truant-test", folder.path(), "cgroup", flags, Some(options.as_c_str()))
            .map_err(|error| Unmet(format!("cannot mount a named v1 hierarchy: {error}")))?;
        let (name, root) = (format!("name={name}"), folder.path().to_owned());
        Ok(Self { hierarchy: Hierarchy { name, root }, _folder: folder })
    }
}

/// A small file system in memory, mounted until this is dropped.
#[derive(Debug)]
pub struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// Mounts one of this size, as in `64k`.
    ///
    /// # Errors
    /// If this process may not mount.
    pub fn mount(size: &str) -> Result<Self, Unmet> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let options = std::ffi::CString::new(format!("size={size}")).expect("has no NUL");
        let flags = MountFlags::empty();
        mount("truant-test", folder.path(), "tmpfs", flags, Some(options.as_c_str()))
            .map_err(|error| Unmet(format!("cannot mount a tmpfs: {error}")))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = unmount(&self.hierarchy.root, UnmountFlags::DETACH);
    }
}

/// The hierarchy of a line of `/proc/PID/cgroup`, if it is mounted.
fn find(line: &str, mounts: &str) -> Option<Hierarchy> {
    let name = line.split(':').nth(1)?;
    let shows = |kind: &str, options: &str| match name {
        "" => kind == "cgroup2",
        _ => kind == "cgroup" && name.split(',').all(|part| options.split(',').any(|o| o == part)),
    };
    let root = mounts.lines().find_map(|mount| {
        let (place, file_system) = mount.split_once(" - ")?;
        let mut fields = file_system.split(' ');
        let (kind, options) = (fields.next()?, fields.nth(1)?);
        let mut place = place.split(' ').skip(3);
        let (top, point) = (place.next()?, place.next()?);
        (top == "/" && shows(kind, options)).then(|| Path::new(point).to_owned())
    })?;
    let name = if name.is_empty() { "v2" } else { name };
    Some(Hierarchy { name: name.to_owned(), root })
}
