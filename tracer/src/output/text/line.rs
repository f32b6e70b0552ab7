//! A line being put together: pieces with a colour each, and a width in terminal columns.
//!
//! Owns the palette and the last word on width. Knows no report.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar as _;

use super::COLUMNS;
use crate::output::escape::escape_also;

/// The styles, by what they say.
pub(super) mod palette {
    use super::{AnsiColor, Style};

    /// Nothing special.
    pub(in super::super) const PLAIN: Style = Style::new();
    /// The column titles, the node.
    pub(in super::super) const STRONG: Style = Style::new().bold();
    /// Of little interest.
    pub(in super::super) const FAINT: Style = Style::new().dimmed();
    /// All is well, or well again.
    pub(in super::super) const GOOD: Style = AnsiColor::Green.on_default();
    /// To be looked at.
    pub(in super::super) const WARN: Style = AnsiColor::Yellow.on_default();
    /// Wrong.
    pub(in super::super) const BAD: Style = AnsiColor::Red.on_default().bold();
}

/// One line of text.
#[derive(Debug, Default)]
pub(super) struct Line {
    pieces: Vec<(Style, String)>,
}

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds `text` in `style`. What may hold foreign bytes must have been through [`tame`].
    pub(super) fn push(&mut self, style: Style, text: impl Into<String>) -> &mut Self {
        self.pieces.push((style, text.into()));
        self
    }

    /// Columns taken so far.
    pub(super) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| width(text)).sum()
    }

    /// Writes the line with its end, cut to [`COLUMNS`].
    pub(super) fn write(&self, to: &mut String, color: bool) {
        let mut room = COLUMNS;
        let mut over = self.width() > COLUMNS;
        for (style, text) in &self.pieces {
            let text = if over { clip(text, room.max(1)) } else { text.clone() };
            let style = if color { *style } else { Style::new() };
            // Writing to a string cannot fail.
            let _ = write!(to, "{style}{text}{style:#}");
            room = room.saturating_sub(width(&text));
            if room == 0 {
                break;
            }
            over = over && room > 0;
        }
        to.push('\n');
    }
}

/// Columns that `text` takes at most.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// `text`, or as much of its beginning as fits `room` columns with an ellipsis after it.
pub(super) fn clip(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |character: &char| {
        let wide = character.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut clipped: String = text.chars().take_while(fits).collect();
    clipped.extend((room > 0).then_some('…'));
    clipped
}

/// Like [`clip`], but keeps the end.
pub(super) fn clip_front(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let reversed: String = text.chars().rev().collect();
    clip(&reversed, room).chars().rev().collect()
}

/// Like [`clip`], but keeps both ends, of which people know a pod's name.
pub(super) fn clip_middle(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let tail = clip_front(text, room - room / 2);
    let head = clip(text, room / 2 + 1);
    format!("{}{tail}", head.trim_end_matches('…'))
}

/// Foreign bytes made harmless. The signs that our own lines are made of are escaped as well, so
/// that a name cannot look like two.
pub(super) fn tame(bytes: &[u8]) -> String {
    escape_also(bytes, |character| {
        matches!(character, '…' | '→' | '"') || (character.is_whitespace() && character != ' ')
    })
}

/// Adds quotes where there are spaces, within `room` columns, after `fit` made it fit.
pub(super) fn quoted(text: &str, room: usize, fit: impl Fn(&str, usize) -> String) -> String {
    if text.is_empty() || text.contains(' ') {
        format!("\"{}\"", fit(text, room.saturating_sub(2)))
    } else {
        fit(text, room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_one_end_and_says_so() {
        assert_eq!(clip("stress-ng", 9), "stress-ng");
        assert_eq!(clip("stress-ng", 5), "stre…");
        assert_eq!(clip_front("stress-ng", 5), "…s-ng");
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(clip_middle("stress-ng", 9), "stress-ng");
        assert_eq!(clip_middle("stress-ng", 6), "str…ng");
        assert_eq!(clip_middle("日本語日本語", 6), "日…語");
        assert_eq!(["", "…", "s…"], [0, 1, 2].map(|room| clip_middle("stress-ng", room)));
        assert_eq!(clip("日本語", 0), "");
    }

    #[test]
    fn a_name_with_spaces_is_one_word() {
        assert_eq!(quoted("tmux: server", 16, clip), "\"tmux: server\"");
        assert_eq!(quoted("tmux: server", 8, clip), "\"tmux:…\"");
        assert_eq!(tame("a \u{2192} b\u{a0}".as_bytes()), r"a \xe2\x86\x92 b\xc2\xa0");
    }

    #[test]
    fn a_line_is_never_wider_than_the_screen() {
        let mut line = Line::new();
        line.push(palette::BAD, "日".repeat(49)).push(palette::PLAIN, "x".repeat(200));
        let mut text = String::new();
        line.write(&mut text, false);
        assert_eq!(width(text.trim_end()), COLUMNS);
        assert!(text.ends_with("x…\n"));
    }
}
