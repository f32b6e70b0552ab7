//! Markdown tables, with their columns aligned.

/// Prints a table under a heading. The first column is text, the others are figures.
pub(super) fn print(heading: &str, columns: &[&str], rows: &[Vec<String>]) {
    println!("\n### {heading}\n\n{}", render(columns, rows));
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
    use super::render;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["6.12".to_owned(), "4,812".to_owned()]];
        let table = "| kernel | n     |\n| ------ | ----: |\n| 6.12   | 4,812 |"
            .replace("| n     |", "|     n |");
        assert_eq!(render(&["kernel", "n"], &rows), table);
    }
}
