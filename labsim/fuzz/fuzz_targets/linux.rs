//! Text as the state of a Linux host, which is put into a lab.
#![no_main]

use labsim_import::{Source, linux};
use labsim_scenario::model::{NodeName, Scenario};
use std::sync::LazyLock;

static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/tacacs-ipip.yaml");
    let loaded = labsim_scenario::load(std::path::Path::new(file));
    loaded.expect("the shipped scenario is valid").scenario
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = linux::read(&[Source::new("fuzz.txt", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    let node = NodeName::new("rs1").expect("a node's name");
    let scenario = (&*SCENARIO, "tacacs-ipip.yaml");
    if let Err(problems) = linux::import_into(&[Source::new("fuzz.txt", text)], scenario, &node) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
