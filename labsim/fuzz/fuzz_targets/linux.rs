//! Text as the state of a Linux host, or as files that configure one, which is put into a lab: a given one,
//! and one that is made around it.
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
    let sources = [Source::new("fuzz.txt", text)];
    if let Err(problems) = linux::import_into(&sources, scenario, &node) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    if let Err(problems) = linux::lab_around(&sources) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
