//! Markdown tables, with their columns aligned, and figures as text.

use super::load::Spread;

/// Prints a heading, what the figures mean, and their table. The first column is text.
pub(super) fn print(heading: &str, caption: &str, columns: &[&str], rows: &[Vec<String>]) {
    println!("\n### {heading}\n\n{caption}\n\n{}", render(columns, rows));
}

/// A figure without a fraction, its thousands set apart.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What was added, with the least and the most of the turns.
pub(super) fn percent(added: Spread) -> String {
    let Spread { least, middle, most } = added;
    format!("{middle:+.2} % ({least:+.2} to {most:+.2})")
}

/// Bytes as MiB, rounded to a tenth.
pub(super) fn mebibytes(bytes: u64) -> String {
    let tenths = (bytes * 10 + (1 << 19)) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn render(columns: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([columns[at].chars().count(), 3]).max().unwrap_or(3)
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            0 => format!(" {cell:width$} |"),
            _ => format!(" {cell:>width$} |"),
        });
        format!("|{}", cells.collect::<String>())
    };
    let rules: Vec<String> = widths
        .iter()
        .enumerate()
        .map(|(at, width)| if at == 0 { "-".repeat(*width) } else { "-".repeat(width - 1) + ":" })
        .collect();
    let mut lines =
        vec![line(&mut columns.iter().copied()), line(&mut rules.iter().map(String::as_str))];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{mebibytes, percent, render, whole};
    use crate::bench::load::Spread;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [7.4, 812.0, 4812.4, 1_234_567.0].map(whole),
            ["7", "812", "4,812", "1,234,567"]
        );
    }

    #[test]
    fn mebibytes_are_rounded_to_a_tenth() {
        assert_eq!([0, 5_030_112, 30 << 20].map(mebibytes), ["0.0 MiB", "4.8 MiB", "30.0 MiB"]);
    }

    #[test]
    fn what_is_added_shows_how_far_the_turns_are_apart() {
        let added = Spread { least: -0.1, middle: 0.25, most: 0.5 };
        assert_eq!(percent(added), "+0.25 % (-0.10 to +0.50)");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["6.12".to_owned(), "4,812".to_owned()]];
        let table = "| kernel | n     |\n| ------ | ----: |\n| 6.12   | 4,812 |"
            .replace("| n     |", "|     n |");
        assert_eq!(render(&["kernel", "n"], &rows), table);
    }
}
