//! One Debian suite seen through apt, beside the machine's own apt state and without touching it:
//! its index refreshed and signature-checked, names listed, packages downloaded or unpacked into a
//! folder. Owns the private apt configuration; which package is wanted, and what of it is kept, is
//! the caller's.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::cache;

/// Signs every suite; in Debian's package of the same name.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Names the archive where the machine's own sources name none, as on other distributions.
const MIRROR_VARIABLE: &str = "TRUANT_DEBIAN_MIRROR";

/// The releases by which an archive is known to be Debian's.
const RELEASES: [&str; 8] =
    ["bullseye", "bookworm", "trixie", "forky", "oldoldstable", "oldstable", "stable", "testing"];

/// A suite whose index is at hand.
pub(crate) struct Suite {
    config: PathBuf,
    _lock: File,
}

impl Suite {
    /// Brings the suite's index up to date. Other runs that want the same suite wait meanwhile.
    pub(crate) fn refreshed(name: &str) -> Result<Self> {
        let folder = cache::folder(&format!("apt/{name}"))?;
        let lock = cache::lock(&folder.join("truant.lock"))?;
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        fs::write(folder.join("sources.list"), sources(name, &archives()?))?;
        let config = folder.join("apt.conf");
        fs::write(&config, configuration(&folder))?;
        let suite = Self { config, _lock: lock };
        output(suite.apt("apt-get").args(["-qq", "update"]))?;
        Ok(suite)
    }

    /// The names of the packages that start so.
    pub(crate) fn package_names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = output(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Downloads a package, or `package=version*`, into an empty `folder`, and gives its file.
    ///
    /// # Errors
    /// The suite has no such package or version, or what came is not what the suite signed.
    pub(crate) fn downloaded(&self, package: &str, folder: &Path) -> Result<PathBuf> {
        output(self.apt("apt-get").args(["-qq", "download", package]).current_dir(folder))?;
        let file = fs::read_dir(folder)?.next();
        Ok(file.with_context(|| format!("apt-get downloaded nothing for {package}"))??.path())
    }

    /// Downloads a package and unpacks it into a new folder below `folder`.
    pub(crate) fn unpacked(&self, package: &str, folder: &Path) -> Result<TempDir> {
        let temporary = tempfile::tempdir_in(folder)?;
        let archive = self.downloaded(package, temporary.path())?;
        output(Command::new("dpkg-deb").arg("--extract").args([&archive, temporary.path()]))?;
        Ok(temporary)
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&self.config);
        command
    }
}

/// The lines of a `sources.list` for a suite, with its security updates.
pub(crate) fn sources_of(suite: &str) -> Result<String> {
    Ok(sources(suite, &archives()?))
}

/// The content of an `.xz` file, as Debian packs modules from trixie on.
pub(crate) fn unpacked_xz(file: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("xz");
    bytes(command.args(["--decompress", "--stdout"]).arg(file))
}

/// Where the suites and their security updates are.
#[derive(Debug, PartialEq)]
struct Archives {
    main: String,
    security: Option<String>,
}

/// The archives that this machine's own apt sources use, or the one that the environment names.
fn archives() -> Result<Archives> {
    if !Path::new(KEYRING).exists() {
        bail!("{KEYRING} is missing: install debian-archive-keyring");
    }
    if let Ok(main) = std::env::var(MIRROR_VARIABLE) {
        return Ok(Archives { main, security: None });
    }
    let indexes = output(Command::new("apt-get").args(["update", "--print-uris"]))?;
    archives_among(&indexes).with_context(|| {
        format!("this machine's apt sources have no Debian archive: set {MIRROR_VARIABLE} to one")
    })
}

/// The archives in what `apt-get update --print-uris` says. Others publish for Debian's suites
/// too, so an archive is one that has a suite's `-updates` as well.
fn archives_among(print_uris: &str) -> Option<Archives> {
    let indexes: Vec<(&str, &str)> = print_uris
        .lines()
        .filter_map(|line| line.strip_prefix('\'')?.split('\'').next()?.split_once("/dists/"))
        .filter_map(|(base, rest)| Some((base, rest.split('/').next()?)))
        .collect();
    let base_of = |ending: &str| {
        let is_wanted = |suite: &str| {
            suite.strip_suffix(ending).is_some_and(|release| RELEASES.contains(&release))
        };
        indexes.iter().find(|(_, suite)| is_wanted(suite)).map(|(base, _)| (*base).to_owned())
    };
    Some(Archives { main: base_of("-updates")?, security: base_of("-security") })
}

/// The text of a `sources.list` for one suite. Backports get their updates where they are.
fn sources(suite: &str, archives: &Archives) -> String {
    let line = |base: &str, suite: &str| format!("deb [signed-by={KEYRING}] {base} {suite} main\n");
    let security = archives.security.as_ref().filter(|_| !suite.ends_with("-backports"));
    let updates = security.map(|base| line(base, &format!("{suite}-security")));
    line(&archives.main, suite) + &updates.unwrap_or_default()
}

/// The text of an `apt.conf` that keeps all state in `folder`.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"#
    )
}

/// Runs a program and gives its stdout; its stderr only if it fails.
fn output(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&bytes(command)?).into_owned())
}

fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_one_that_has_updates() {
        let printed = "'https://other.example/linux/debian/dists/bookworm/InRelease' a 0 \n\
            'http://one.example/debian/dists/bookworm/InRelease' b 0 \n\
            'http://one.example/debian/dists/bookworm-updates/InRelease' c 0 \n\
            'http://one.example/debian-security/dists/bookworm-security/InRelease' d 0 \n";
        let expected = Archives {
            main: "http://one.example/debian".into(),
            security: Some("http://one.example/debian-security".into()),
        };
        assert_eq!(archives_among(printed), Some(expected));
    }

    #[test]
    fn another_distribution_or_publisher_has_no_debian_archive() {
        let printed = "'http://one.example/ubuntu/dists/noble-updates/InRelease' a 0 \n";
        assert_eq!(archives_among(printed), None);
        let printed = "'https://other.example/linux/debian/dists/bookworm/InRelease' a 0 \n\
            http://one.example/debian/dists/bookworm-updates/InRelease\n";
        assert_eq!(archives_among(printed), None);
    }

    #[test]
    fn security_updates_belong_to_a_stable_suite() {
        let archives = Archives { main: "m:".into(), security: Some("s:".into()) };
        let trixie = sources("trixie", &archives);
        assert!(trixie.contains("] m: trixie main\n"), "{trixie}");
        assert!(trixie.contains("] s: trixie-security main\n"), "{trixie}");
        assert_eq!(sources("trixie-backports", &archives).lines().count(), 1);
    }
}
