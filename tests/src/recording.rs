//! What a recording holds, line by line, without truant's own reader.

use std::{fs::File, io::Read as _, path::Path};

use serde_json::Value;

/// The inputs of one kind, in order.
pub fn inputs(file: impl AsRef<Path>, kind: &str) -> Vec<Value> {
    let file = File::open(file).expect("the recording is there");
    let mut text = String::new();
    let decoder = zstd::stream::read::Decoder::new(file).expect("zstd begins");
    decoder.take(1 << 30).read_to_string(&mut text).expect("the recording is whole");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON"));
    lines.filter_map(|line: Value| line.get(kind).cloned()).collect()
}
