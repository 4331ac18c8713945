//! The last packets of labs that stay up, and what is kept of a lab when it ends.

use crate::support::captures::frames;
use crate::support::labs::Labs;
use crate::support::{DEADLINE, Ended};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// Only packets of logins: ARP depends on what the lab has learned.
const LOGIN: [&str; 2] = ["--filter", "destination_port: 49"];

/// Each of its steps sends several MiB over all interfaces.
const BULK: &str = "scenarios/tcp-bulk-ipip.yaml";

fn up(labs: &Labs, args: &[&str]) {
    let all: Vec<&str> =
        ["up", "scenarios/tacacs-ipip.yaml", "--name", "one"].iter().chain(args).copied().collect();
    labs.labsim(&all).exits(0);
}

/// How many packets of logins a lab has kept at each of two points.
fn kept(labs: &Labs, args: &[&str], file: &str) -> [usize; 2] {
    let mut all = vec!["capture", "--since", "all", "-w", file, "--force"];
    all.extend(args);
    labs.labsim(&all).exits(0).says("none dropped");
    let frames = frames(&labs.0, file);
    let times: Vec<_> = frames.iter().map(|(_, frame)| frame.time_ns).collect();
    assert!(times.is_sorted(), "{times:?}");
    ["client:eth0", "rs1:tunl0"].map(|it| frames.iter().filter(|(name, _)| name == it).count())
}

#[test]
fn what_passed_before_anybody_captured_is_there_at_every_point_it_passed() {
    let labs = Labs::new();
    up(&labs, &[]);
    assert_eq!(kept(&labs, &LOGIN, "none.pcapng"), [0, 0]);
    labs.labsim(&["step"]).exits(0).says("step login: pass");
    let [client, server] = kept(&labs, &LOGIN, "first.pcapng");
    assert!(client > 0 && client == server, "{client} {server}");
    // It is still there, and what comes later is there too.
    labs.labsim(&["step", "login"]).exits(0);
    assert!(kept(&labs, &LOGIN, "second.pcapng")[0] > client);
    let lines = labs.labsim(&["capture", "--since", "1h", "rs1:tunl0", LOGIN[0], LOGIN[1]]);
    let lines = lines.exits(0);
    assert_eq!(lines.stdout.lines().count(), server, "{lines:?}");
    let is_login = |line: &str| line.contains(" ms rs1:tunl0 in  IP 192.168.11.201.");
    assert!(lines.stdout.lines().all(is_login), "{lines:?}");
    // A check has captures of its own, and both go on.
    labs.labsim(&["check"]).exits(0).says("PASS one");
    // What is older than asked for is left out.
    thread::sleep(Duration::from_millis(50));
    let none = labs.labsim(&["capture", "--since", "1ms", LOGIN[0], LOGIN[1]]).exits(0);
    assert_eq!(none.stdout, "");
    none.says("0 packets, none dropped");
}

#[test]
fn a_small_ring_gives_up_its_oldest_packets_and_says_how_far_it_reaches_back() {
    let labs = Labs::new();
    labs.labsim(&["up", BULK, "--keep", "1"]).exits(0);
    let few = labs.labsim(&["capture", "--since", "1h", "-w", "few.pcapng"]).exits(0);
    assert!(!few.stderr.contains("not kept any more"), "{few:?}");
    labs.labsim(&["step"]).exits(0).says("step bulk: pass");
    let all = labs.labsim(&["capture", "--since", "1h", "-w", "all.pcapng"]).exits(0);
    all.says("the last 1 MiB reach back ").says("packets before that are not kept any more");
    all.says("`labsim up --keep MIB` keeps more");
    let length = fs::metadata(labs.0.path("all.pcapng")).unwrap().len();
    assert!((700 << 10..2 << 20).contains(&length), "{length}");
    // What has just passed is there, as soon as the holder has read it.
    let ends = ["capture", "--since", "1h", "client:eth0", "--filter", "flags: F."];
    let deadline = Instant::now() + DEADLINE;
    while labs.labsim(&ends).exits(0).stdout.lines().count() < 2 {
        assert!(Instant::now() < deadline, "the ends of the connection are not kept");
    }
}

#[test]
fn a_lab_that_keeps_nothing_says_so_and_restart_keeps_what_was_asked_for() {
    let labs = Labs::new();
    up(&labs, &["--keep", "0"]);
    let none = labs.labsim(&["capture", "--since", "5m"]).exits(2);
    none.says("the lab keeps no packets, as it was made with `--keep 0`");
    labs.labsim(&["restart"]).exits(0);
    labs.labsim(&["capture", "--since", "5m"]).exits(2).says("made with `--keep 0`");
    // All else of it can be kept.
    labs.labsim(&["down", "--out", "kept"]).exits(0).says("one is down");
    assert!(!labs.0.path("kept/capture.pcapng").exists());
    assert!(labs.0.path("kept/status.txt").exists());
    up(&labs, &["--keep", "3"]);
    labs.labsim(&["restart"]).exits(0);
    labs.labsim(&["capture", "--since", "5m", "-w", "empty.pcapng"]).exits(0);
}

#[test]
fn devices_that_are_made_anew_and_those_that_come_later_are_kept() {
    let labs = Labs::new();
    up(&labs, &[]);
    // Nobody answers, and who asks is seen.
    let script = "ip link add extra type veth peer name other && ip addr add 10.99.0.1/24 dev extra && \
        ip link set extra up && ip link set other up && echo x > /dev/udp/10.99.0.2/9 && sleep 0.1 && \
        ip link del extra";
    labs.labsim(&["exec", "rs1", "--", "bash", "-c", script]).exits(0);
    labs.labsim(&["reset"]).exits(0);
    labs.labsim(&["step"]).exits(0);
    let [client, server] = kept(&labs, &LOGIN, "all.pcapng");
    assert!(client > 0 && client == server, "{client} {server}");
    assert!(kept(&labs, &["rs1"], "rs1.pcapng")[1] > 0);
    let later = frames(&labs.0, "rs1.pcapng");
    assert!(later.iter().any(|(name, _)| name.starts_with("rs1:if")));
}

#[test]
fn what_is_wrong_with_a_wish_for_kept_packets_is_said_and_no_file_is_made() {
    let labs = Labs::new();
    labs.labsim(&["capture", "--since", "5m"]).exits(2).says("no lab is up");
    for text in ["yesterday", "5", "-1m", ""] {
        let refused = labs.labsim(&["capture", &format!("--since={text}")]).exits(2);
        refused.says("write one such as `5m`, in `s`, `m` or `h`; or `all`");
    }
    labs.labsim(&["up", "scenarios/tacacs-ipip.yaml", "--keep", "20000"]).exits(2);
    up(&labs, &[]);
    let capture = |args: &[&str]| {
        let all = ["capture", "--since", "all", "-w", "a.pcapng"];
        let all: Vec<&str> = all.iter().chain(args).copied().collect();
        labs.labsim(&all).exits(2)
    };
    capture(&["rs9"]).says("the lab has no node `rs9`; did you mean `rs1`? Its nodes: ");
    let slip = capture(&["rs1:eht0"]);
    slip.says("rs1 has no interface `eht0`; did you mean `eth0`? Its interfaces: lo, eth0, tunl0");
    capture(&["--filter", "destination_prt: 49"]).says("did you mean `destination_port`");
    assert!(!labs.0.path("a.pcapng").exists());
    labs.0.write("mine.pcapng", "mine");
    let mine = labs.labsim(&["capture", "--since", "all", "-w", "mine.pcapng"]).exits(2);
    mine.says("mine.pcapng: it exists already");
    if File::options().write(true).open("/dev/full").is_ok() {
        let full = labs.labsim(&["capture", "--since", "all", "-w", "/dev/full"]).exits(1);
        full.says("the packets cannot be written: No space left on device");
    }
}

#[test]
fn a_reader_that_takes_nothing_keeps_neither_the_lab_nor_its_end_waiting() {
    let labs = Labs::new();
    up(&labs, &[]);
    for _ in 0..12 {
        labs.labsim(&["step", "login"]).exits(0);
    }
    let mut command = labs.command(&["capture", "--since", "all", "-w", "-"]);
    let slow = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    labs.labsim(&["step", "login"]).exits(0);
    labs.labsim(&["down"]).exits(0);
    // All of it is the reader's own.
    let slow = slow.wait_with_output().unwrap();
    assert_eq!(slow.status.code(), Some(0));
    assert!(String::from_utf8(slow.stderr).unwrap().contains("none dropped"));
    labs.0.write("slow.pcapng", slow.stdout);
    assert!(frames(&labs.0, "slow.pcapng").iter().any(|(name, _)| name == "rs1:tunl0"));
}

#[test]
fn down_keeps_packets_logs_changes_and_files_that_can_be_run_again() {
    let labs = Labs::new();
    up(&labs, &[]);
    labs.labsim(&["step"]).exits(0);
    let address = ["ip", "addr", "add", "10.1.1.99/24", "dev", "eth0"];
    let add: Vec<&str> = ["exec", "rs2", "--"].iter().chain(&address).copied().collect();
    labs.labsim(&add).exits(0);
    let logs = labs.labsim(&["logs", "rs1"]).exits(0).stdout;
    labs.labsim(&["down", "--out", "results/friday"]).exits(0).says("one is down");
    let text = |file: &str| fs::read_to_string(labs.0.path("results/friday").join(file)).unwrap();
    assert_eq!(text("logs/rs1.log"), logs);
    assert!(text("status.txt").contains("changed: new: address 10.1.1.99/24 on eth0"));
    let packets = frames(&labs.0, "results/friday/capture.pcapng");
    assert!(packets.iter().any(|(name, _)| name == "rs1:tunl0"));
    let mode = |file: &str| {
        let path = labs.0.path("results/friday").join(file);
        fs::metadata(path).unwrap().permissions().mode() & 0o007
    };
    assert_eq!(["", "capture.pcapng", "logs", "logs/rs1.log"].map(mode), [0; 4]);
    let again = "results/friday/files/scenarios/tacacs-ipip.yaml";
    labs.labsim(&["validate", again]).exits(0);
    assert_eq!(
        text("files/scenarios/tacacs-ipip.yaml"),
        fs::read_to_string(labs.0.path("scenarios/tacacs-ipip.yaml")).unwrap()
    );
}

#[test]
fn a_lab_whose_results_cannot_be_written_stays_up() {
    let labs = Labs::new();
    up(&labs, &[]);
    fs::create_dir(labs.0.path("there")).unwrap();
    let refused = labs.labsim(&["down", "--out", "there"]).exits(1);
    refused.says("there: it exists already; name another folder; the lab `one` stays up");
    let file = labs.0.write("file", "mine");
    labs.labsim(&["down", "--out", "file/below"]).exits(1).says("the lab `one` stays up");
    labs.labsim(&["down", "--out", "/proc/nothing"]).exits(1).says("the lab `one` stays up");
    assert_eq!(fs::read(file).unwrap(), b"mine");
    assert_eq!(fs::read_dir(labs.0.path("there")).unwrap().count(), 0);
    labs.labsim(&["step"]).exits(0).says("step login: pass");
    // With --all each lab has a folder, and one that cannot be written keeps no other from its end.
    labs.up("two");
    labs.0.write("there/one", "mine");
    let all = labs.labsim(&["down", "--all", "--out", "there"]).exits(1);
    all.says("two is down").says("the lab `one` stays up");
    assert!(labs.0.path("there/two/capture.pcapng").exists());
    assert_eq!(labs.folders(), ["one"]);
}

#[test]
fn memory_is_taken_as_packets_come_and_stays_at_the_bound() {
    let labs = Labs::new();
    labs.labsim(&["up", BULK, "--name", "one", "--keep", "2"]).exits(0);
    let holder = labs.holder("one");
    let memory = || {
        let text = fs::read_to_string(format!("/proc/{holder}/status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let flood = || {
        labs.labsim(&["step", "bulk"]).exits(0);
        let all = labs.labsim(&["capture", "--since", "all", "-w", "x.pcapng", "--force"]);
        all.exits(0).says("the last 2 MiB reach back ");
    };
    flood();
    let full = memory();
    (0..3).for_each(|_| flood());
    // More than ten times the ring has passed; a step's own captures come and go.
    let after = memory();
    assert!(after < full + 4096, "{full} KiB, then {after} KiB");
}

#[test]
fn a_fifo_and_a_lab_that_ends_meanwhile_are_no_trouble() {
    let labs = Labs::new();
    up(&labs, &[]);
    labs.labsim(&["step"]).exits(0);
    let fifo = labs.0.path("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    labs.labsim(&["capture", "--since", "all", "-w", "fifo"])
        .exits(2)
        .says("start the reader first");
    // Many ask at once, and one ends the lab: each has an answer or a sentence.
    let asking: Vec<_> = (0..8)
        .map(|number| {
            let file = format!("{number}.pcapng");
            let mut command = labs.command(&["capture", "--since", "all", "-w", &file]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    labs.labsim(&["down"]).exits(0);
    let began = Instant::now();
    for child in asking {
        let ended = Ended::of(child.wait_with_output());
        let said = ["none dropped", "no lab", "does not answer", "has ended"];
        assert!(said.iter().any(|it| ended.stderr.contains(it)), "{ended:?}");
    }
    assert!(began.elapsed() < DEADLINE);
}
