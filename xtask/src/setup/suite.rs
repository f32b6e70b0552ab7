//! Packages of a Debian suite that is not the machine's own: fetched and verified by apt with
//! settings of its own, unpacked by the caller. Never touches what is installed, nor the machine's
//! sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use super::packages;
use crate::paths;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite, with its lists of packages up to date.
pub(crate) struct Suite {
    folder: PathBuf,
    options: Vec<String>,
}

impl Suite {
    /// Fetches and verifies the lists of the suite `name`, such as `trixie-backports`, from the
    /// mirror that the machine itself uses. Needs no root.
    ///
    /// # Errors
    /// The machine has no Debian mirror, or the mirror does not have the suite.
    pub(crate) fn open(sh: &Shell, name: &str) -> Result<Self> {
        let folder = paths::shared_cache()?.join("debian").join(name);
        for part in ["lists/partial", "cache/archives/partial", "debs"] {
            sh.create_dir(folder.join(part))?;
        }
        let sources = folder.join("suite.sources");
        fs::write(&sources, sources_of(&mirror(sh)?, name))
            .with_context(|| format!("cannot write {}", sources.display()))?;
        let suite = Self { options: options(&folder, &sources), folder };
        let options = &suite.options;
        cmd!(sh, "apt-get {options...} -qq update").quiet().run()?;
        Ok(suite)
    }

    /// The file of `package`, whose version begins with `version`; fetched unless it was before.
    ///
    /// # Errors
    /// The suite has no such package or version, or what came is not what the suite signed.
    pub(crate) fn download(&self, sh: &Shell, package: &str, version: &str) -> Result<PathBuf> {
        let (options, want) = (&self.options, format!("{package}={version}*"));
        let debs = self.folder.join("debs");
        let _dir = sh.push_dir(&debs);
        let uris =
            cmd!(sh, "apt-get {options...} -qq --print-uris download {want}").quiet().read()?;
        cmd!(sh, "apt-get {options...} -qq download {want}").quiet().run()?;
        let name = file_of(&uris).with_context(|| format!("apt names no file for {want}"))?;
        Ok(debs.join(name))
    }
}

/// The mirror of the machine's own Debian sources.
fn mirror(sh: &Shell) -> Result<String> {
    let ask = || {
        let format = "$(ORIGIN) $(LABEL) $(REPO_URI)";
        cmd!(sh, "apt-get indextargets --format {format} {CREATED_BY}").quiet().read()
    };
    if let Some(found) = mirror_in(&ask()?) {
        return Ok(found);
    }
    // The lists say whose a source is, and a machine may start without them.
    packages::update_lists(sh);
    mirror_in(&ask()?).context("this machine has no Debian mirror among apt's sources")
}

const CREATED_BY: &str = "Created-By: Packages";

fn mirror_in(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| line.strip_prefix("Debian Debian ")).map(str::to_owned)
}

fn sources_of(mirror: &str, suite: &str) -> String {
    format!("Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n")
}

/// What makes apt look at the suite alone, and keep its lists apart from the machine's.
fn options(folder: &Path, sources: &Path) -> Vec<String> {
    [
        format!("Dir::Etc::sourcelist={}", sources.display()),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={}", folder.join("lists").display()),
        format!("Dir::Cache={}", folder.join("cache").display()),
        // The cache may lie where apt's own user cannot read.
        "APT::Sandbox::User=root".to_owned(),
    ]
    .into_iter()
    .flat_map(|option| ["-o".to_owned(), option])
    .collect()
}

/// The file name in a line of `apt-get --print-uris`: `'URI' NAME SIZE HASH`.
fn file_of(uris: &str) -> Option<&str> {
    uris.lines().find_map(|line| line.strip_prefix('\'')?.split_whitespace().nth(1))
}

#[cfg(test)]
mod tests {
    use super::{file_of, mirror_in};

    #[test]
    fn the_mirror_is_the_main_archive_not_security_nor_a_third_party() {
        let targets = "\
            Debian Debian-Security http://mirror.example/debian-security/\n\
            Somebody Debian http://elsewhere.example/\n\
            Debian Debian http://mirror.example/debian/\n";
        assert_eq!(mirror_in(targets).as_deref(), Some("http://mirror.example/debian/"));
        assert_eq!(mirror_in("  http://mirror.example/debian/\n"), None);
    }

    #[test]
    fn the_file_is_the_second_word_of_a_quoted_line() {
        let uris =
            "Reading lists\n'http://m.example/p/x_1%2b2_all.deb' x_1+2_all.deb 45 SHA256:0\n";
        assert_eq!(file_of(uris), Some("x_1+2_all.deb"));
        assert_eq!(file_of("nothing"), None);
    }
}
