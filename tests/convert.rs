//! Configurations in and out: what is imported runs, and what is exported comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::os::unix::fs::symlink;
use support::{Desk, shipped};

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";

/// A desk with the document's own stanzas.
fn desk() -> Desk {
    let desk = Desk::new();
    let stanzas = shipped().join("labsim/import/tests/document.conf");
    std::fs::copy(stanzas, desk.path("bigip.conf")).unwrap();
    desk
}

#[test]
fn the_documents_stanzas_give_a_lab_that_passes() {
    let desk = desk();
    let ended = desk.labsim(&["import", "f5", "bigip.conf", "--out", "new/lab"]).exits(0);
    ended.says("written: new/lab/bigip.yaml").says("labsim run new/lab/bigip.yaml");
    ended.says("bigip.conf:36: ltm virtual vs_tacacs-test_49: vs-index");
    let ran = desk.labsim(&["run", "new/lab/bigip.yaml"]).exits(0);
    ran.says("PASS bigip").says("1 passed, 0 failed, 0 skipped");
}

#[test]
fn an_exported_load_balancer_is_imported_again_as_it_was_and_runs() {
    let desk = desk();
    let exported = desk.labsim(&["export", "f5", SCENARIO]).exits(0).stdout;
    assert!(exported.contains("ltm virtual vs_tacacs-test_49 {"), "{exported}");
    desk.write("again.conf", &exported);
    desk.labsim(&["import", "f5", "again.conf", "--out", "again"]).exits(0);
    // The folder as a whole: the topology lies beside the scenario.
    desk.labsim(&["run", "again"]).exits(0).says("PASS again");
    let twice = desk.labsim(&["export", "f5", "again/again.yaml"]).exits(0).stdout;
    let stanzas = |text: &str| text.lines().filter(|l| !l.starts_with('#')).collect::<String>();
    assert_eq!(stanzas(&twice), stanzas(&exported));
}

#[test]
fn a_real_servers_commands_are_printed_and_other_nodes_are_refused() {
    let desk = desk();
    let ended = desk.labsim(&["export", "linux", SCENARIO, "rs2"]).exits(0);
    ended.says("ip addr add 10.1.1.52 dev tunl0 scope host");
    ended.says("ip addr add 172.16.4.99 dev lo scope host label lo:0");
    for node in ["client", "nobody", "\u{1b}[2J"] {
        let ended = desk.labsim(&["export", "linux", SCENARIO, node]).exits(2);
        ended.says("is none of its real servers: rs1, rs2, rs3");
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    }
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let desk = desk();
    std::fs::create_dir(desk.path("lab")).unwrap();
    desk.write("lab/bigip.yaml", "mine");
    let args = ["import", "f5", "bigip.conf", "--out", "lab"];
    desk.labsim(&args).exits(2).says("lab/bigip.yaml is there already");
    assert_eq!(std::fs::read_to_string(desk.path("lab/bigip.yaml")).unwrap(), "mine");
    assert!(!desk.path("lab/topology.yaml").exists(), "half of an import is left");
}

#[test]
fn a_link_that_somebody_laid_is_not_written_through() {
    let desk = desk();
    std::fs::create_dir(desk.path("lab")).unwrap();
    symlink(desk.path("elsewhere"), desk.path("lab/topology.yaml")).unwrap();
    let args = ["import", "f5", "bigip.conf", "--out", "lab"];
    desk.labsim(&args).exits(2).says("lab/topology.yaml is there already");
    assert!(!desk.path("elsewhere").exists());
}

#[test]
fn broken_configurations_are_told_with_their_places_and_write_nothing() {
    let desk = desk();
    desk.write("bad.conf", "ltm pool p {\n  members {\n");
    let ended = desk.labsim(&["import", "f5", "bad.conf", "--out", "lab"]).exits(2);
    ended.says("bad.conf:").says("never closed");
    desk.write("zero.conf", [0xffu8; 64]);
    desk.labsim(&["import", "a10", "zero.conf", "--out", "lab"]).exits(2).says("no text");
    desk.labsim(&["import", "a10", "gone.conf", "--out", "lab"]).exits(2).says("no such file");
    desk.labsim(&["import", "a10", "scenarios", "--out", "lab"]).exits(2).says("no regular file");
    assert!(!desk.path("lab").exists());
}

#[test]
fn acos_text_gives_a_lab_that_passes() {
    let desk = desk();
    desk.write(
        "acos.txt",
        "slb server rs1 10.1.1.51\n  port 49 tcp\n\
         slb server rs2 10.1.1.52\n  port 49 tcp\n\
         slb service-group sg tcp\n  member rs1 49\n  member rs2 49\n\
         slb virtual-server vip 172.16.4.99\n  port 49 tcp\n    service-group sg\n    \
         no-dest-nat\n    ipinip\n",
    );
    desk.labsim(&["import", "a10", "acos.txt", "--out", "acos"]).exits(0);
    desk.labsim(&["run", "acos/acos.yaml"]).exits(0).says("PASS acos");
}
