//! The client against runtimes that a test plays: what comes out, and that nothing waits.

mod cri;
mod docker;
mod fake;
mod nodes;
mod places;
mod trouble;

use std::{convert::Infallible, time::Duration};

use truant_core::input::{ContainerFacts, Input, RuntimeFacts};

use super::Runtimes;

/// A sandbox's id in the fixtures.
const SANDBOX: &str = "3a1c6f0f4f0d2d6b0cb8a39d4d1f7f1e0f6f9c5d8a7b6c5d4e3f2a1b0c9d8e7f";

/// A container's id in the fixtures.
const CONTAINER: &str = "b7e23ec29af22b0b4e41da31e868d57226121c84e3a1c6f0f4f0d2d6b0cb8a39";

/// The pod's uid in the fixtures.
const UID: &str = "1f8d7c5e-51d5-4b4e-9d0c-6d1c0e4c9a11";

/// A file of the fixtures.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/", $name)).to_owned()
    };
}
use fixture;

/// What comes until all have settled. They do within 5 s where the machine has time for them.
#[track_caller]
fn settled(runtimes: &mut Runtimes) -> impl Future<Output = Vec<Input>> {
    let caller = std::panic::Location::caller();
    async move {
        let mut inputs = Vec::new();
        let feed = |input| {
            inputs.push(input);
            Ok::<_, Infallible>(())
        };
        let is_settled = runtimes.settle(Duration::from_secs(6), feed).await.unwrap();
        assert!(is_settled, "{caller}: not settled");
        inputs
    }
}

/// The next input, which comes within a time.
async fn soon(runtimes: &mut Runtimes, seconds: u64) -> Option<Input> {
    tokio::time::timeout(Duration::from_secs(seconds), runtimes.next()).await.ok().flatten()
}

fn runtimes_in(inputs: &[Input]) -> Vec<&RuntimeFacts> {
    inputs
        .iter()
        .filter_map(|input| match input {
            Input::Runtime(facts) => Some(&**facts),
            _ => None,
        })
        .collect()
}

fn containers_in(inputs: &[Input]) -> Vec<&ContainerFacts> {
    inputs
        .iter()
        .filter_map(|input| match input {
            Input::Container(facts) => Some(&**facts),
            _ => None,
        })
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}
