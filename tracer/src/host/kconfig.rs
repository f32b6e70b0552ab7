//! The options the kernel was built with, where the node keeps them.
//!
//! Owns the two places and the format. Most containers see neither.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::GzDecoder;

use super::Host;

/// More than any kernel's configuration has, so that a forged file cannot fill the memory.
const LIMIT: u64 = 8 << 20;

/// The options, by name without `CONFIG_`. An option that is not set is not in it.
pub(crate) type Config = BTreeMap<String, String>;

impl Host {
    /// Reads `/proc/config.gz`, else `/boot/config-RELEASE`.
    pub(crate) fn kernel_config(&self, release: &str) -> Option<Config> {
        let packed = File::open(self.proc.join("config.gz"));
        let text = match packed {
            Ok(file) => text(GzDecoder::new(file)),
            Err(_) => self.boot_config(release),
        };
        text.ok().map(|text| parse(&text)).filter(|config| !config.is_empty())
    }

    fn boot_config(&self, release: &str) -> io::Result<String> {
        text(File::open(self.boot.join(Path::new(&format!("config-{release}"))))?)
    }
}

fn text(file: impl Read) -> io::Result<String> {
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Config {
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::*;
    use crate::host::testing::Tree;

    const TEXT: &str = "# x\nCONFIG_BPF=y\n# CONFIG_KPROBES is not set\nCONFIG_LSM=\"a,b\"\n";

    #[track_caller]
    fn check(tree: &Tree) {
        let config = tree.host().kernel_config("6.1").unwrap();
        let expected = [("BPF", "y"), ("LSM", "a,b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(config, BTreeMap::from(expected));
    }

    #[test]
    fn in_proc_or_in_boot() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(TEXT.as_bytes()).unwrap();
        check(&Tree::new().file("proc/config.gz", packed.finish().unwrap()));
        check(&Tree::new().file("boot/config-6.1", TEXT));
    }

    #[test]
    fn not_known() {
        assert_eq!(Tree::new().host().kernel_config("6.1"), None);
        let broken = Tree::new().file("proc/config.gz", "no gzip");
        assert_eq!(broken.host().kernel_config("6.1"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_a_configuration_or_none(
            bytes in any::<Vec<u8>>(), text in any::<String>()
        ) {
            let is_well_formed = |config: Option<Config>| {
                config.is_none_or(|config| config.keys().all(|name| !name.contains('=')))
            };
            for file in ["proc/config.gz", "boot/config-6.1"] {
                let tree = Tree::new().file(file, &bytes);
                prop_assert!(is_well_formed(tree.host().kernel_config("6.1")));
            }
            let line = format!("CONFIG_{text}");
            prop_assert!(is_well_formed(Some(parse(&line))));
        }
    }
}
