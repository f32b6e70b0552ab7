//! crun, by its command line, as a runtime below a kubelet calls it: each container from a bundle,
//! with an id and a cgroup of the form that containerd gives them. There is no daemon and no image
//! store, so that even an emulated guest has a container come and go within a second or two.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fastrand::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Driver, run};

/// The image with little more than a shell, as engines load it.
const IMAGE: &str = "/opt/images/busybox.tar";

/// The program, the unpacked image that all of its containers share for reading, and what it knows
/// of them.
#[derive(Debug)]
pub struct Crun {
    driver: Driver,
    folder: TempDir,
    spec: Value,
}

/// A container that runs, removed when this is dropped.
#[derive(Debug)]
pub struct Bundle<'a> {
    crun: &'a Crun,
    folder: PathBuf,
    is_there: bool,
    /// Its id.
    pub id: String,
}

impl Crun {
    /// Has the image unpacked. Nothing is asked of the program yet but its usual configuration.
    ///
    /// # Panics
    /// If the node lacks something of that.
    pub fn new(driver: Driver) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        unpack(folder.path());
        run("crun", [Path::new("spec"), Path::new("--bundle"), folder.path()]);
        let spec = fs::read(folder.path().join("config.json")).expect("crun wrote it");
        let spec = serde_json::from_slice(&spec).expect("it is JSON");
        Self { driver, folder, spec }
    }

    /// Has a container run a command in a pod's cgroup, which is named in the way of the driver.
    /// The number makes its id.
    ///
    /// # Panics
    /// With what crun says, if it fails.
    pub fn start(&self, parent: &str, number: u64, command: &[&str]) -> Bundle<'_> {
        let mut random = Rng::with_seed(number);
        let id = format!("{:032x}{:032x}", random.u128(..), random.u128(..));
        let folder = self.folder.path().join(&id);
        fs::create_dir(&folder).expect("a folder can be made");
        let spec = self.spec_of(parent, &id, command).to_string();
        fs::write(folder.join("config.json"), spec).expect("a file can be written");
        let log = folder.join("log");
        let mut crun = self.command();
        // What the container writes to stays open as long as it runs, so it is no pipe.
        crun.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        crun.arg("--log").arg(&log).args(["run", "--detach", "--bundle"]).arg(&folder).arg(&id);
        let status = crun.status().expect("crun is there");
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success(), "{crun:?}: {status}: {}", said());
        Bundle { crun: self, folder, is_there: true, id }
    }

    /// The usual configuration, with what is this container's own. Its network is the node's.
    fn spec_of(&self, parent: &str, id: &str, command: &[&str]) -> Value {
        let mut spec = self.spec.clone();
        spec["root"]["path"] = json!(self.folder.path().join("root"));
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(command);
        let kinds = ["pid", "ipc", "uts", "mount", "cgroup"];
        let kinds: Vec<_> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
        spec["linux"]["namespaces"] = json!(kinds);
        spec["linux"]["resources"]["memory"] = json!({ "limit": 256 << 20 });
        spec["linux"]["cgroupsPath"] = json!(match self.driver {
            Driver::Cgroupfs => format!("{parent}/{id}"),
            Driver::Systemd => format!("{parent}:cri-containerd:{id}"),
        });
        spec
    }

    fn command(&self) -> Command {
        let mut crun = Command::new("crun");
        crun.arg("--root").arg(self.folder.path().join("state"));
        if self.driver == Driver::Systemd {
            crun.arg("--systemd-cgroup");
        }
        crun
    }

    /// Runs it until it ends; what it wrote to stdout.
    fn run(&self, arguments: &[&str]) -> String {
        let mut crun = self.command();
        let output = crun.args(arguments).stdin(Stdio::null()).output().expect("crun is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{crun:?}: {}: {said}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Bundle<'_> {
    /// What a command in it wrote to stdout.
    ///
    /// # Panics
    /// With what crun says, if it fails.
    pub fn exec(&self, command: &[&str]) -> String {
        self.crun.run(&[&["exec", &self.id], command].concat())
    }

    /// Kills it, and has crun forget it and remove its cgroup.
    ///
    /// # Panics
    /// With what crun says, if it fails.
    pub fn remove(mut self) {
        self.crun.run(&["delete", "--force", &self.id]);
        self.is_there = false;
    }
}

impl Drop for Bundle<'_> {
    fn drop(&mut self) {
        if self.is_there {
            let _ = self.crun.command().args(["delete", "--force", &self.id]).output();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes `root` in a folder of the layers of the image.
fn unpack(folder: &Path) {
    let (image, root) = (folder.join("image"), folder.join("root"));
    for made in [&image, &root] {
        fs::create_dir(made).expect("a folder can be made");
    }
    let tar = |archive: &Path, to: &Path| {
        run("tar", [Path::new("-xf"), archive, Path::new("-C"), to]);
    };
    tar(Path::new(IMAGE), &image);
    let manifest = fs::read(image.join("manifest.json")).expect("the image has one");
    let manifest: Value = serde_json::from_slice(&manifest).expect("it is JSON");
    for layer in manifest[0]["Layers"].as_array().expect("a list") {
        tar(&image.join(layer.as_str().expect("a path")), &root);
    }
}
