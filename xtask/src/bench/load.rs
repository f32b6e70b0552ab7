//! What the load prints: the figures of one operation. Owns the reading of them.

use anyhow::{Context as _, Result};

/// Nanoseconds per operation over the rounds of one load. In a guest whose clock counts
/// instructions, that is instructions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    /// Of most rounds no part is spent in a tracer's own process.
    pub(super) median: f64,
    /// All that ran while the rounds did is in here, a tracer's own process too.
    pub(super) mean: f64,
}

impl Figures {
    /// Reads a line `OPERATION median=NS mean=NS min=NS`.
    ///
    /// # Errors
    /// If the line is anything else, such as the load's own word on what failed.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let value = |name: &str| {
            let prefix = format!("{name}=");
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
            word.and_then(|word| word.parse().ok())
                .with_context(|| format!("the load said {line:?}, and no {name}"))
        };
        Ok(Self { median: value("median")?, mean: value("mean")? })
    }
}

/// By how much `with` is more than `without`, in percent.
pub(super) fn added(without: f64, with: f64) -> f64 {
    (with / without - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_load_is_read() {
        let figures = Figures::parse("pages median=4812.3 mean=4900.0 min=4801.5").unwrap();
        assert_eq!(figures, Figures { median: 4812.3, mean: 4900.0 });
        let error = Figures::parse("error: cannot map memory").unwrap_err().to_string();
        assert!(error.contains("cannot map memory"), "{error}");
    }

    #[test]
    fn what_is_added_is_a_part_of_what_was() {
        assert!((added(200.0, 201.0) - 0.5).abs() < 1e-9);
    }
}
