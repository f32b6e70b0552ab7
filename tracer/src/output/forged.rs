//! Inputs that no kernel gives, as a forged recording may hold them: whatever they are, both
//! outputs keep their form.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use proptest::{collection::vec, prelude::*};
use truant_core::{Engine, ids::BootTime, input::Input, report::Report};

use super::{
    JsonSink, Sink as _, TextSink,
    json::tests::{check, schema},
    text::TextOptions,
};
use crate::record::samples::input;

fn reports(inputs: Vec<Input>) -> Vec<Report> {
    let (mut engine, mut reports) = (Engine::new(), Vec::new());
    for input in inputs {
        engine.feed(input, &mut reports);
    }
    engine.feed(Input::Ended { at: BootTime(9) }, &mut reports);
    reports
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_inputs_give_lines_as_the_schema_says_and_text_without_controls(
        inputs in vec(input(), 0..60)
    ) {
        let (mut json, mut text) = (Vec::new(), Vec::new());
        let mut programs = JsonSink::new(&mut json);
        let options = TextOptions { color: false, zone: TimeZone::UTC };
        let mut people = TextSink::new(&mut text, options);
        for report in reports(inputs) {
            programs.show(&report)?;
            people.show(&report)?;
        }
        let schema = schema();
        for line in String::from_utf8(json)?.lines() {
            let line = serde_json::from_str(line)?;
            check(&schema, &line).map_err(TestCaseError::fail)?;
        }
        let controls: BTreeSet<_> =
            String::from_utf8(text)?.chars().filter(|c| c.is_control() && *c != '\n').collect();
        prop_assert_eq!(controls, BTreeSet::new());
    }
}
