//! Sentences broken into lines. Owns the indentation; knows no report.

use anstyle::Style;

use super::super::{
    COLUMNS,
    line::{Line, clip, palette, tame, width},
};

/// Where everything below a heading begins. No name can begin a line before it.
pub(super) const INDENT: usize = 5;

/// What words of others, which have no end of their own, may take.
const WORDS_OF_OTHERS: usize = 240;

/// `text` after `head`, over as many lines as it takes; all but the first begin with [`INDENT`].
pub(super) fn paragraph(style: Style, head: &str, text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::new();
    line.push(style, head);
    let mut row = String::new();
    let mut room = COLUMNS.saturating_sub(width(head));
    for word in text.split(' ') {
        let needed = width(&row) + usize::from(!row.is_empty()) + width(word);
        if needed > room && !(row.is_empty() && lines.is_empty() && room < INDENT) {
            line.push(palette::PLAIN, std::mem::take(&mut row));
            lines.push(std::mem::take(&mut line));
            line.push(palette::PLAIN, " ".repeat(INDENT));
            room = COLUMNS - INDENT;
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(&clip(word, COLUMNS - INDENT));
    }
    line.push(palette::PLAIN, row);
    lines.push(line);
    lines
}

/// A paragraph below a heading, with a faint label at its beginning.
pub(super) fn labelled(label: &str, text: &str) -> Vec<Line> {
    paragraph(palette::FAINT, &format!("{}{label}: ", " ".repeat(INDENT)), text)
}

/// Words of somebody else, as they may be printed.
pub(super) fn said(text: &str) -> String {
    clip(&tame(text.as_bytes()), WORDS_OF_OTHERS)
}

/// So many of something: `1 pod is`, `2 pods are`.
pub(super) fn many(count: usize, one: &str, more: &str) -> String {
    let count_text = super::super::size::count(count as u64);
    format!("{count_text} {}", if count == 1 { one } else { more })
}

/// The first few of `items` with commas, and how many more there are.
pub(super) fn list(items: &[String], most: usize) -> String {
    let shown = items.get(..most).unwrap_or(items);
    let hidden = items.len() - shown.len();
    let more = if hidden == 0 { String::new() } else { format!(" and {hidden} more") };
    shown.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[Line]) -> String {
        let mut text = String::new();
        for line in lines {
            line.write(&mut text, false);
        }
        text
    }

    #[test]
    fn lines_break_between_words_and_are_indented() {
        let lines = paragraph(palette::BAD, "OUT  ", &"word ".repeat(30));
        let text = text(&lines);
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            assert!(line.starts_with("OUT  word") || line.starts_with("     word"), "{line}");
            assert!(width(line) <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn a_word_without_end_is_clipped() {
        let text = text(&paragraph(palette::BAD, "OUT  ", &format!("a {} b", "x".repeat(300))));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines.iter().all(|line| width(line) <= COLUMNS), "{text}");
    }

    #[test]
    fn lists_end_somewhere() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(list(&items, 3), "a, b, c");
        assert_eq!(list(&items, 2), "a, b and 1 more");
        assert_eq!(many(1, "pod is", "pods are"), "1 pod is");
        assert_eq!(many(0, "pod is", "pods are"), "0 pods are");
    }
}
