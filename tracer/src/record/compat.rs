//! Lines of older recordings, lifted to the form of today's.
//!
//! Owns the version and the table of fix-ups. To change the form of a line: raise [`VERSION`],
//! append to [`FIXES`] what turns a line of the version before into one of the new, and add a
//! sample of the new version to the tests; the samples of older ones stay.

use serde_json::Value;

use super::schema;

/// The version that is written, and the newest that is read.
pub(crate) const VERSION: u32 = 2;

/// Turns a line of one version into one of the next.
type Fix = fn(Value) -> Value;

/// The fix-up at index `n` lifts a line of version `n + 1` to version `n + 2`.
const FIXES: [Fix; VERSION as usize - 1] = [to_2];

/// Version 2 says whether who could get out counts, and may say more of a task that was seen.
fn to_2(mut line: Value) -> Value {
    if let Some(Value::Object(facts)) = line.get_mut("started") {
        facts.insert("fail_on_exposed".to_owned(), Value::Bool(false));
    }
    line
}

/// Reads a line, without its end, of a recording of `version`.
pub(super) fn parse(version: u32, line: &[u8]) -> Result<schema::Input, serde_json::Error> {
    if version == VERSION {
        return serde_json::from_slice(line);
    }
    let lifted = lift(&FIXES, version, serde_json::from_slice(line)?);
    serde_json::from_value(lifted)
}

fn lift(fixes: &[Fix], version: u32, line: Value) -> Value {
    let done = usize::try_from(version).unwrap_or(usize::MAX).saturating_sub(1);
    fixes.iter().skip(done).fold(line, |line, fix| fix(line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_goes_through_every_fix_up_after_its_version_in_order() {
        let fixes: [Fix; 2] = [|line| json!([line, "to 2"]), |line| json!([line, "to 3"])];
        assert_eq!(lift(&fixes, 1, json!(0)), json!([[0, "to 2"], "to 3"]));
        assert_eq!(lift(&fixes, 2, json!(0)), json!([0, "to 3"]));
        assert_eq!(lift(&fixes, 3, json!(0)), json!(0));
    }
}
