//! Podman, by its command line. It has no daemon, and systemd's driver.

use super::docker::Container;

/// Runs a container; the arguments are those between `run -d` and the end.
pub fn podman(arguments: &[&str]) -> Container {
    Container::run("podman", arguments)
}
