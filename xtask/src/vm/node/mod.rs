//! The disks of nodes: one Debian release each, with systemd and container engines. Owns the list
//! of releases, and where an image is kept and for how long; what is on it is the recipe's, and how
//! it is made is the build's.

mod build;
mod containers;
mod files;
mod recipe;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use crate::cache;

/// How long an image that nobody uses stays, of another checkout's recipe or of an older one.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// A Debian release that there are nodes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Release {
    /// Debian 11: systemd 247, containerd 1.4, Docker 20.10, Podman 3.0.
    Bullseye,
    /// Debian 12: systemd 252, containerd 1.6, Docker 20.10, Podman 4.3.
    Bookworm,
    /// Debian 13: systemd 257, containerd 1.7, Docker 26.1, Podman 5.4.
    Trixie,
}

impl Release {
    /// Debian's name of the suite.
    pub(crate) fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// The disk image of that release, which nobody may write to: the cached one, if it was made by
/// this recipe, or one that is built now. That takes minutes, root, and Debian's archive, and is
/// said on stderr; another run that wants the same waits meanwhile.
pub(crate) fn image(release: Release) -> Result<PathBuf> {
    let folder = cache::folder("nodes")?;
    let suite = release.suite();
    let _lock = cache::lock(&folder.join(format!("{suite}.lock")))?;
    let image = folder.join(format!("{suite}-{}.ext4", recipe::fingerprint(release)));
    if image.is_file() {
        std::fs::File::options().write(true).open(&image)?.set_modified(SystemTime::now())?;
        return Ok(image);
    }
    let mut stderr = std::io::stderr();
    writeln!(stderr, "vm: building {}, which takes minutes, once", image.display())?;
    let start = Instant::now();
    build::build(release, &folder, &image).with_context(|| format!("no node {suite}"))?;
    writeln!(stderr, "vm: the disk of {suite} took {} s", start.elapsed().as_secs())?;
    remove_old(&folder, suite)?;
    Ok(image)
}

/// Removes images of the suite that have not been used for long. A guest that runs keeps its own.
fn remove_old(folder: &Path, suite: &str) -> Result<()> {
    let prefix = format!("{suite}-");
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_image = name.starts_with(&prefix)
            && Path::new(&name).extension().is_some_and(|it| it == "ext4");
        let unused = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if is_image && unused > KEPT {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_not_used_for_a_week_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, age| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        };
        file("trixie-old.ext4", KEPT * 2);
        file("trixie-new.ext4", KEPT / 2);
        file("bookworm-old.ext4", KEPT * 2);
        file("trixie.lock", KEPT * 2);
        remove_old(folder.path(), "trixie").unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["bookworm-old.ext4", "trixie-new.ext4", "trixie.lock"]);
    }
}
