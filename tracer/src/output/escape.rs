//! Bytes that anyone may have chosen (task names, cgroup paths) as text that does no harm.
//!
//! One rule for every output and for recordings, and it can be undone: a backslash is doubled, and
//! `\xNN` stands for one byte wherever a byte is not UTF-8, or belongs to a character that is not
//! seen as itself: control characters, line separators, bidirectional overrides, everything of no
//! width. So no name can end a line, move a cursor, or hide a part of another.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// `bytes` by the rule of this module.
pub(crate) fn escape(bytes: &[u8]) -> String {
    escape_also(bytes, |_| false)
}

/// Like [`escape`], and the characters of which `also` is true are escaped too.
pub(crate) fn escape_also(bytes: &[u8], also: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                text.push_str("\\\\");
            } else if is_unseen(character) || also(character) {
                push_bytes(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
    text
}

/// The bytes that [`escape`] was given, or none where `text` has a backslash that it did not write.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => (hex(*high)? << 4 | hex(*low)?, after),
            (b'\\', _) => return None,
            (byte, after) => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(bytes)
}

fn push_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn is_unseen(character: char) -> bool {
    let listed = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    listed || character.width().unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for text in ["systemd", "/kubepods/pod1 a/ünï/日本", "", "(sd-pam)", "a%20\"b\""] {
            assert_eq!(escape(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_does_harm_is_spelt_out() {
        let cases: [(&[u8], &str); 8] = [
            (b"a\nb", r"a\x0ab"),
            (b"\x1b[2J", r"\x1b[2J"),
            (b"\xff\xfe", r"\xff\xfe"),
            (b"a\\x0a", r"a\\x0a"),
            ("\u{202e}txt".as_bytes(), r"\xe2\x80\xaetxt"),
            ("\u{9b}31m".as_bytes(), r"\xc2\x9b31m"),
            ("a\u{200b}b".as_bytes(), r"a\xe2\x80\x8bb"),
            ("\u{2028}".as_bytes(), r"\xe2\x80\xa8"),
        ];
        for (bytes, text) in cases {
            assert_eq!(escape(bytes), text);
        }
    }

    #[test]
    fn a_backslash_that_escapes_nothing_is_refused() {
        for text in [r"\", r"\x", r"\x4", r"\xg0", r"\n", r"a\\\"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn escaping_can_be_undone(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(unescape(&escape(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(unescape(&escape_also(&bytes, |c| c == 'a')), Some(bytes));
        }

        #[test]
        fn nothing_unseen_is_left(text in any::<String>()) {
            prop_assert!(!escape(text.as_bytes()).chars().any(|c| c.is_control() || is_unseen(c)));
        }

        #[test]
        fn unescaping_never_panics(text in r"[\\x0-9a-g]{0,12}") {
            let _ = unescape(&text);
        }
    }
}
