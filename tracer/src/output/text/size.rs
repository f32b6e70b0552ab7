//! Numbers in few columns: bytes in binary units, counts in thousands.

/// `bytes` with three digits of precision or more, in at most 8 columns.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut whole = bytes;
    let mut rest = 0;
    let mut unit = "B";
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (rest, whole, unit) = (whole % 1024, whole / 1024, next);
    }
    // Cut, not rounded, so that nothing held ever shows as a unit more than it is.
    if whole < 100 {
        format!("{whole}.{} {unit}", rest * 10 / 1024)
    } else {
        format!("{whole} {unit}")
    }
}

/// `bytes` with a sign if it is negative.
pub(super) fn signed(net: i64) -> String {
    let sign = if net < 0 { "−" } else { "" };
    format!("{sign}{}", bytes(net.unsigned_abs()))
}

/// A count in at most 5 columns.
pub(super) fn count(count: u64) -> String {
    if count < 100_000 {
        return count.to_string();
    }
    let mut whole = count;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if whole < 1000 {
            break;
        }
        (whole, unit) = (whole / 1000, next);
    }
    format!("{whole}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_never_too_much() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (4096, "4.0 KiB"),
            (102_399, "99.9 KiB"),
            ((1 << 20) - 1, "1023 KiB"),
            (216_965_120, "206 MiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (amount, text) in cases {
            assert_eq!(bytes(amount), text);
        }
        assert_eq!(signed(-8192), "−8.0 KiB");
        assert_eq!(signed(i64::MIN), "−8.0 EiB");
    }

    #[test]
    fn counts_are_short() {
        let cases = [(0, "0"), (99_999, "99999"), (1_234_567, "1M"), (u64::MAX, "18E")];
        for (amount, text) in cases {
            assert_eq!(count(amount), text);
        }
    }
}
