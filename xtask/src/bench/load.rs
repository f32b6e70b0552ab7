//! What the load prints, and what several blocks of it say together. Owns the reading and the
//! arithmetic.

use anyhow::{Context as _, Result};

/// Nanoseconds per operation in one block of the load. In a guest whose clock counts instructions,
/// that is instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// CPU time of the load and its children: the mean of the middle half of the block's rounds.
    pub(super) own: f64,
    /// CPU time of the quickest round.
    pub(super) least: f64,
    /// All that the node's only CPU ran meanwhile, a tracer's own process too.
    pub(super) node: f64,
    /// The tracer's own process in that.
    pub(super) tracer: f64,
}

impl Figures {
    /// Reads a line `OPERATION own=NS least=NS node=NS tracer=NS`.
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
        let (own, least) = (value("own")?, value("least")?);
        Ok(Self { own, least, node: value("node")?, tracer: value("tracer")? })
    }
}

/// The middle of some numbers, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) middle: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of all the numbers; `None` if there are none.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let middle = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[half - 1], sorted[half])
        } else {
            sorted[half]
        };
        Some(Self { least, middle, most })
    }

    /// What `with` is more than `without`, in percent: of each pair, so that what changes slowly
    /// falls on both.
    pub(super) fn added(without: &[f64], with: &[f64]) -> Option<Self> {
        Self::of(without.iter().zip(with).map(|(without, with)| (with / without - 1.0) * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_load_is_read() {
        let figures =
            Figures::parse("pages own=4812.3 least=4800.5 node=4900.0 tracer=15.5").unwrap();
        let expected = Figures { own: 4812.3, least: 4800.5, node: 4900.0, tracer: 15.5 };
        assert_eq!(figures, expected);
        let error = Figures::parse("error: cannot map memory").unwrap_err().to_string();
        assert!(error.contains("cannot map memory"), "{error}");
    }

    #[test]
    fn the_middle_of_an_even_number_of_figures_is_between_the_two() {
        let spread = Spread::of([4.0, 1.0, 2.0, 9.0]);
        assert_eq!(spread, Some(Spread { least: 1.0, middle: 3.0, most: 9.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn what_is_added_is_taken_of_each_pair() {
        let added = Spread::added(&[200.0, 400.0], &[202.0, 404.0]).unwrap();
        assert!((added.least - 1.0).abs() < 1e-9 && (added.most - 1.0).abs() < 1e-9, "{added:?}");
    }
}
