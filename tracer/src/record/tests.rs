//! Recordings there and back, cut, damaged, older, newer, and no recordings at all.

use std::{
    error::Error as _,
    fs,
    io::{self, Read as _, Write},
    path::Path,
};

use proptest::{collection::vec, prelude::*};

use truant_core::{
    ids::BootTime,
    input::{Input, LossCause},
};

use super::{
    read::{EndsEarly, ReadError},
    samples, *,
};

/// What version 1 looks like, line by line: stays as it is now that there is a version 2.
const VERSION_1: &str = include_str!("v1.jsonl");

/// What version 2 looks like, line by line: stays as it is when there is a version 3.
const VERSION_2: &str = include_str!("v2.jsonl");

fn recorded(inputs: &[Input]) -> Vec<u8> {
    let mut writer = Writer::new(Path::new("test"), Vec::new()).unwrap();
    for input in inputs {
        writer.write(input).unwrap();
    }
    writer.finish().unwrap()
}

fn packed(lines: &str) -> Vec<u8> {
    zstd::encode_all(lines.as_bytes(), 1).unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Step>, ReadError> {
    Reader::new(Path::new("test"), bytes)?.collect()
}

fn inputs(steps: Vec<Step>) -> (Vec<Input>, Option<EndsEarly>) {
    let mut early = None;
    let mut take = |step| match step {
        Step::Input(input) => Some(input),
        Step::EndsEarly(end) => {
            early = Some(end);
            None
        }
    };
    (steps.into_iter().filter_map(&mut take).collect(), early)
}

fn check_error(bytes: &[u8], expected: &str) {
    assert_eq!(read(bytes).unwrap_err().to_string(), expected);
}

proptest! {
    #[test]
    fn every_input_comes_back_as_it_was(sent in vec(samples::input(), 0..20)) {
        let ended = sent.iter().position(|input| matches!(input, Input::Ended { .. }));
        let sent = &sent[..ended.map_or(sent.len(), |at| at + 1)];
        let (back, early) = inputs(read(&recorded(sent)).unwrap());
        prop_assert_eq!(back, sent);
        prop_assert_eq!(early.is_none(), ended.is_some());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..200), text in any::<String>()) {
        let _ = read(&bytes);
        let _ = read(&[b"\x28\xb5\x2f\xfd".as_slice(), &bytes].concat());
        let _ = read(&packed(&text));
        let first = VERSION_1.lines().next().unwrap();
        let _ = read(&packed(&format!("{first}\n{text}\n")));
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at in any::<prop::sample::Index>(), byte: u8, seed: bool) {
        let whole = samples::one_of_each();
        if seed {
            let mut bytes = recorded(&whole);
            *at.get_mut(bytes.as_mut_slice()) = byte;
            let _ = read(&bytes);
        } else {
            let mut lines = VERSION_2.as_bytes().to_vec();
            *at.get_mut(lines.as_mut_slice()) = byte;
            let _ = read(&zstd::encode_all(lines.as_slice(), 1).unwrap());
        }
    }

    #[test]
    fn a_cut_recording_gives_its_beginning(at in any::<prop::sample::Index>()) {
        let whole = samples::one_of_each();
        let bytes = recorded(&whole);
        let cut = &bytes[..at.index(bytes.len())];
        if let Ok(steps) = read(cut) {
            let (back, early) = inputs(steps);
            prop_assert!(whole.starts_with(&back));
            // Only the checksum may be missing from one that says it ended.
            prop_assert_eq!(early.is_none(), back == whole);
        }
    }
}

#[test]
fn version_1_is_read() {
    let whole = samples::version_1();
    assert_eq!(inputs(read(&packed(VERSION_1)).unwrap()), (whole, None));
}

#[test]
fn version_2_is_read() {
    let whole = samples::one_of_each();
    assert_eq!(inputs(read(&packed(VERSION_2)).unwrap()), (whole, None));
}

#[test]
fn version_2_is_still_written() {
    let written = zstd::decode_all(recorded(&samples::one_of_each()).as_slice()).unwrap();
    let written = String::from_utf8(written).unwrap();
    // The first line names the truant that wrote it, which may be any.
    let lines = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&written), lines(VERSION_2));
    assert_eq!(VERSION, 2, "a new version has its own sample");
}

#[test]
fn no_line_moves_a_cursor_or_hides_a_part_of_itself() {
    let written = zstd::decode_all(recorded(&samples::one_of_each()).as_slice()).unwrap();
    let unseen = |c: &char| *c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
    assert_eq!(String::from_utf8(written).unwrap().chars().find(unseen), None);
}

#[test]
fn a_killed_recorder_leaves_all_up_to_the_last_interval() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = Writer::create(file.path(), true).unwrap();
    let at = BootTime(5);
    let sent =
        [Input::Unmoved { count: 1 }, Input::IntervalEnded { at }, Input::Unmoved { count: 2 }];
    for input in &sent {
        writer.write(input).unwrap();
    }
    drop(writer);
    let steps = Reader::open(file.path()).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let (back, early) = inputs(steps);
    assert_eq!(back, sent[..2]);
    let early = early.unwrap();
    assert_eq!(early, EndsEarly { line: 3, at });
    let lost = Input::Lost { cause: LossCause::Malformed, count: 1 };
    assert_eq!(early.inputs(), [lost, Input::Ended { at }]);
    assert_eq!(
        early.to_string(),
        "the recording ends early, after line 3, 0 s after boot: its recorder was killed, or its \
         disk was full, or the copy is cut short"
    );
}

/// A disk with room for so many bytes.
struct Small(Vec<u8>, usize);

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.1 - self.0.len();
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = bytes.get(..room).unwrap_or(bytes);
        self.0.extend(written);
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_says_what_is_kept_and_keeps_it() {
    let mut disk = Small(Vec::new(), 400);
    let mut writer = Writer::new(Path::new("/mnt/file"), &mut disk).unwrap();
    let mut written = 0;
    let error = loop {
        let input = Input::IntervalEnded { at: BootTime(written) };
        match writer.write(&input) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    drop(writer);
    assert!(written > 5, "{written}");
    assert_eq!(
        error.to_string(),
        format!(
            "/mnt/file could not be written: no storage space; 400 bytes with {written} whole \
             intervals are kept and can be replayed"
        )
    );
    let (back, early) = inputs(read(&disk.0).unwrap());
    assert!(back.len() as u64 >= written, "{} of {written}", back.len());
    assert!(early.is_some());
}

#[test]
fn a_disk_that_was_full_before_leaves_nothing_to_replay() {
    let error = Writer::new(Path::new("/mnt/file"), Small(Vec::new(), 0)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "/mnt/file could not be written: no storage space; nothing was written, so nothing can be \
         replayed"
    );
    // Whoever prints the causes too must not print this one twice.
    assert!(error.source().is_none());
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rec");
    fs::write(&path, "precious").unwrap();
    let error = Writer::create(&path, false).err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with("/rec exists already: name another file, or ask for it to be replaced")
    );
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    Writer::create(&path, true).unwrap().finish().unwrap();
    assert_eq!(Reader::open(&path).unwrap().count(), 1);
    let error = Writer::create(&folder.path().join("no/rec"), false).err().unwrap();
    assert!(
        error.to_string().ends_with(
            "/no/rec could not be made: No such file or directory \
        (os error 2)"
        ),
        "{error}"
    );
}

#[test]
fn what_is_no_recording_is_called_that() {
    let no = "test is not a recording: `truant record FILE` makes one";
    for bytes in [b"".as_slice(), b"{}", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfdgarbage"] {
        check_error(bytes, no);
    }
    for lines in [
        "",
        "\n",
        "{}\n",
        "{\"format\":\"truant-recording\",\"version\":1,\"truant\":\"1\"}",
        "{\"format\":\"other\",\"version\":1,\"truant\":\"1\"}\n",
        "{\"format\":\"truant-recording\",\"version\":0,\"truant\":\"1\"}\n",
    ] {
        check_error(&packed(lines), no);
    }
    let error = Reader::open(Path::new("/nonexistent")).err().unwrap();
    assert_eq!(
        error.to_string(),
        "/nonexistent could not be opened: No such file or directory (os error 2)"
    );
}

#[test]
fn a_newer_recording_says_which_truant_reads_it() {
    let header = r#"{"format":"truant-recording","version":7,"truant":"3.2.1\u001b","more":[]}"#;
    check_error(
        &packed(&format!("{header}\n\"unheard of\"\n")),
        "test is a recording of version 7, and this truant reads up to 2: replay it with truant \
         3.2.1\\x1b or later",
    );
}

#[test]
fn a_damaged_line_is_named() {
    let mut lines: Vec<&str> = VERSION_2.lines().collect();
    let nonsense = [
        "{",
        "{\"unmoved\":{\"count\":-1}}",
        "{\"unmoved\":{\"count\":1,\"x\":1}}",
        "{\"container_gone\":{\"id\":\"a\\\\\"}}",
        "{\"container_gone\":{\"id\":\"\\\\xff\"}}",
        "{\"resident\":[[1,-1]]}",
        "",
    ];
    for line in nonsense {
        lines[3] = line;
        let error = read(&packed(&(lines.join("\n") + "\n"))).unwrap_err().to_string();
        assert!(error.starts_with("test is damaged at line 4: "), "{error}");
        assert!(error.ends_with("; copy it again from where it was made, or record anew"));
    }
    let twice = VERSION_1.to_owned() + "{\"unmoved\":{\"count\":1}}\n";
    let error = read(&packed(&twice)).unwrap_err().to_string();
    assert!(error.starts_with("test is damaged at line 25: something follows the end"), "{error}");
}

#[test]
fn a_bomb_is_refused_at_the_line_limit() {
    let first = VERSION_1.lines().next().unwrap();
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    bomb.write_all(first.as_bytes()).unwrap();
    bomb.write_all(b"\n").unwrap();
    io::copy(&mut io::repeat(b' ').take(4 * MAX_LINE as u64), &mut bomb).unwrap();
    let error = read(&bomb.finish().unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("test is damaged at line 2: it has no end"), "{error}");
}

#[test]
fn a_window_larger_than_ours_is_refused() {
    let mut wide = zstd::Encoder::new(Vec::new(), 1).unwrap();
    wide.window_log(27).unwrap();
    wide.write_all(VERSION_1.as_bytes()).unwrap();
    let error = read(&wide.finish().unwrap()).unwrap_err().to_string();
    assert_eq!(error, "test is not a recording: `truant record FILE` makes one");
}
