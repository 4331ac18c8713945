//! The way of a packet, drawn as a user types it.

use crate::support::Desk;
use std::fs;
use std::path::Path;

const RUN: &str = "out/tacacs-ipip";

/// A desk with the kept run of a healthy login.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.labsim(&["run", "scenarios/tacacs-ipip.yaml", "--out", "out"]).exits(0);
    desk
}

fn way(desk: &Desk, packet: &str) -> String {
    desk.labsim(&["graph", "--run", RUN, "--packet", packet]).exits(0).stdout
}

#[test]
fn the_readmes_picture_is_that_of_a_run() {
    let desk = desk();
    let drawn = way(&desk, "login");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("labsim/picture/tacacs-ipip-way.svg");
    assert!(drawn == fs::read_to_string(shipped).unwrap(), "{drawn}");
    // The folder of the whole run will do, as it has one scenario.
    assert_eq!(desk.labsim(&["graph", "--run", "out", "--packet", "login"]).exits(0).stdout, drawn);
}

#[test]
fn a_frame_leads_to_the_way_of_its_packet_and_each_hop_to_a_slide() {
    let desk = desk();
    // Whatever comes first, some frame is the client's SYN; ARP has a way as well.
    let one = way(&desk, "1");
    assert!(one.contains("the way of the packet of frame 1<"), "{one}");
    desk.labsim(&["graph", "--run", RUN, "--packet", "login", "-o", "way.svg", "--slides"])
        .exits(0);
    for number in 1..=7 {
        let slide = fs::read_to_string(desk.path(&format!("way-{number}.svg"))).unwrap();
        assert!(slide.contains(&format!("hop {number} of 7</title>")), "{slide}");
    }
    assert!(!desk.path("way-8.svg").exists() && !desk.path("way.svg").exists());
}

#[test]
fn a_lost_packet_ends_with_the_cause_at_its_node() {
    let desk = Desk::new();
    desk.labsim(&["run", "scenarios/faults/rp-filter-strict.yaml", "--out", "out"]).exits(0);
    let drawn = desk.labsim(&["graph", "--run", "out", "--packet", "login"]).exits(0).stdout;
    assert!(drawn.contains("[rp-filter]") && drawn.contains("class=\"lost\""), "{drawn}");
    assert!(drawn.contains("no answer to it was captured"), "{drawn}");
}

#[test]
fn what_cannot_be_drawn_is_told_in_a_sentence() {
    let desk = desk();
    let refused = |args: &[&str]| {
        let all = [&["graph", "--run"], args].concat();
        desk.labsim(&all).exits(2).stderr
    };
    for (args, expected) in [
        (&[RUN, "--packet", "logout"][..], "no step `logout` was done; its steps are login"),
        (&[RUN, "--packet", "0"], "no frame 0; capture.pcapng has the frames 1 to"),
        (&[RUN, "--packet", "99999"], "no frame 99999; capture.pcapng has the frames 1 to"),
        (&[RUN, "--packet", "login", "--format", "dot"], "is drawn as SVG only"),
        (&["scenarios", "--packet", "login"], "no results in it"),
        // Found before the folder is read.
        (&["gone", "--packet", "login", "-o", "scenarios", "--format", "svg"], "cannot be written"),
    ] {
        let told = refused(args);
        assert!(told.contains(expected), "{told}");
    }
    let events = desk.path(&format!("{RUN}/events.jsonl"));
    let text = fs::read_to_string(&events).unwrap();
    let no_lab = text.lines().filter(|line| !line.contains("lab_built"));
    let no_lab: Vec<&str> = no_lab.collect();
    for (text, expected) in [
        (String::new(), "the event scenario_ended is missing"),
        (text[..text.len() / 2].to_owned(), "is not a JSON object"),
        (text.replace("\"schema\":1", "\"schema\":2"), "use the labsim that wrote it"),
        (no_lab.join("\n"), "its events do not tell how the lab is wired"),
    ] {
        fs::write(&events, text).unwrap();
        let told = refused(&[RUN, "--packet", "login"]);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_damaged_capture_is_drawn_or_refused_with_its_reason() {
    let desk = desk();
    let path = desk.path(&format!("{RUN}/capture.pcapng"));
    let whole = fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        (0..16).map(|part| whole[..whole.len() * part / 16 + part].to_vec()).collect();
    for step in 0..32 {
        let mut bytes = whole.clone();
        let at = bytes.len() * step / 32;
        bytes[at..].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x55);
        damaged.push(bytes);
        let mut bytes = whole.clone();
        // In the middle of the frames, whose lengths stay as they are.
        bytes[at] ^= 0xff;
        damaged.push(bytes);
    }
    for bytes in damaged {
        fs::write(&path, bytes).unwrap();
        for packet in ["login", "20"] {
            let ended = desk.labsim(&["graph", "--run", RUN, "--packet", packet]);
            match ended.code {
                Some(0) => assert!(ended.stdout.ends_with("</svg>\n")),
                code => {
                    assert_eq!(code, Some(2), "{}", ended.stderr);
                    assert!(ended.stderr.starts_with("labsim: "), "{}", ended.stderr);
                    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
                }
            }
        }
    }
}
