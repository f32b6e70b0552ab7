//! Debian's names of kernel packages: which of them have an image, and which is the newest. Pure.

/// The newest package with an image of that series. `linux-binary-*` wins over `linux-image-*` of
/// the same version: where both exist, the image is in the first.
pub(super) fn choose<'a>(packages: impl Iterator<Item = &'a str>, series: &str) -> Option<&'a str> {
    packages
        .filter_map(|package| Some((version_of(package)?, package)))
        .filter(|(version, _)| version.starts_with(series))
        .max_by_key(|(version, package)| {
            (version_key(version), package.starts_with("linux-binary-"))
        })
        .map(|(_, package)| package)
}

/// `6.12.118+deb13` of `linux-image-6.12.118+deb13-cloud-amd64`; `None` for debug symbols,
/// unsigned images, metapackages and other flavours.
pub(super) fn version_of(package: &str) -> Option<&str> {
    let rest =
        package.strip_prefix("linux-image-").or_else(|| package.strip_prefix("linux-binary-"))?;
    let version = rest.strip_suffix("-cloud-amd64")?;
    let is_full =
        version.split('.').count() >= 3 && version.starts_with(|c: char| c.is_ascii_digit());
    is_full.then_some(version)
}

/// The package that has the modules of a `linux-binary-*`; `linux-image-*` has its own.
pub(super) fn modules_package(package: &str) -> Option<String> {
    Some(format!("linux-modules-{}", package.strip_prefix("linux-binary-")?))
}

/// The numbers in a version, in order: what two versions of one suite's kernels differ by.
fn version_key(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The series that the packages belong to, `6.16`, in order.
pub(super) fn series_of(packages: &[String]) -> Vec<String> {
    let packages = packages.iter().map(String::as_str);
    let mut series: Vec<_> =
        packages.filter_map(version_of).map(|version| version_key(version)[..2].to_vec()).collect();
    series.sort_unstable();
    series.dedup();
    series.iter().map(|pair| format!("{}.{}", pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packages: &[&str], series: &str, expected: Option<&str>) {
        assert_eq!(choose(packages.iter().copied(), series), expected);
    }

    #[test]
    fn the_newest_of_a_series_is_chosen_by_number() {
        let packages = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-57-amd64",
            "linux-image-6.1.0-58-cloud-amd64-dbg",
            "linux-image-6.1.0-59-cloud-amd64-unsigned",
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-cloud-amd64",
        ];
        check(&packages, "6.1.", Some("linux-image-6.1.0-56-cloud-amd64"));
        check(&packages, "5.10.", None);
    }

    #[test]
    fn a_rebuild_is_newer_than_the_build() {
        let packages = [
            "linux-image-6.12.115+deb13.1-cloud-amd64",
            "linux-image-6.12.115+deb13-cloud-amd64",
            "linux-image-6.12.90+deb13.1-cloud-amd64",
        ];
        check(&packages, "6.12.", Some(packages[0]));
    }

    #[test]
    fn the_image_is_in_linux_binary_where_there_is_one() {
        let packages = [
            "linux-image-7.3.4+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-binary-unsigned-7.3.4+deb13-cloud-amd64",
            "linux-image-7.2.12+deb13-cloud-amd64",
            "linux-image-6.16.12+deb13-cloud-amd64",
        ];
        check(&packages, "", Some(packages[1]));
        assert_eq!(
            modules_package(packages[1]).as_deref(),
            Some("linux-modules-7.3.4+deb13-cloud-amd64")
        );
        assert_eq!(modules_package(packages[4]), None);
        check(&packages, "6.16.", Some(packages[4]));
        assert_eq!(series_of(&packages.map(str::to_owned)), ["6.16", "7.2", "7.3"]);
    }
}
