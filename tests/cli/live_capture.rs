//! Packets of labs that stay up, captured as they come.

use crate::support::captures::{capture_of, frames};
use crate::support::labs::Labs;
use crate::support::{DEADLINE, Ended};
use labsim_wire::pcapng::{Block, Reader};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Cursor, Read as _, pipe};
use std::os::unix::fs::FileTypeExt as _;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

/// Bytes of a section's header at least: a capture that has written these has begun.
const HEADER: usize = 28;

/// Starts a capture into a file, and waits until it has begun.
fn begin(labs: &Labs, args: &[&str], file: &str) -> Child {
    let mut all = vec!["capture", "-w", file];
    all.extend(args);
    let child = spawn(labs, &all);
    let began = Instant::now();
    while fs::metadata(labs.0.path(file)).map_or(0, |it| it.len()) < HEADER as u64 {
        assert!(began.elapsed() < DEADLINE, "no capture has begun");
    }
    child
}

fn spawn(labs: &Labs, args: &[&str]) -> Child {
    labs.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn end(child: Child) -> Ended {
    signal(&child, Signal::SIGINT);
    Ended::of(child.wait_with_output()).exits(0)
}

/// A capture's interfaces, and how many statistics it has at its end.
fn blocks(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut reader = Reader::new(Cursor::new(bytes)).unwrap();
    let (mut names, mut statistics) = (Vec::new(), 0);
    while let Some(block) = reader.next_block().unwrap() {
        match block {
            Block::Interface { name, .. } => names.push(name),
            Block::Statistics { dropped, .. } => {
                assert_eq!(dropped.unwrap_or_default(), 0);
                statistics += 1;
            }
            _ => {}
        }
    }
    (names, statistics)
}

#[test]
fn all_points_of_a_lab_are_in_one_stream_with_the_names_and_packets_of_a_run() {
    let labs = Labs::new();
    let run = capture_of(&labs.0, "tacacs-ipip");
    labs.up("one");
    let capture = begin(&labs, &[], "all.pcapng");
    labs.labsim(&["step"]).exits(0).says("step login: pass");
    end(capture).says(" captured, none dropped");
    let names = |file: &str| blocks(&fs::read(labs.0.path(file)).unwrap());
    let (live, statistics) = names("all.pcapng");
    assert_eq!((&live, statistics), (&names(&run).0, live.len()));
    let live = frames(&labs.0, "all.pcapng");
    let times: Vec<_> = live.iter().map(|(_, frame)| frame.time_ns).collect();
    assert!(times.is_sorted(), "{times:?}");
    // A login has the same TCP packets at each point; ARP depends on what the lab has learned.
    let tcp = |all: &[(String, labsim_captures::Frame)]| {
        let is_ip = |bytes: &[u8]| bytes.get(12..14) == Some(&[8, 0]);
        let at = |all: &[(String, labsim_captures::Frame)], name: &str| {
            all.iter().filter(|(of, frame)| of == name && is_ip(&frame.bytes)).count()
        };
        ["client:eth0", "router:client", "lb:eth0", "rs1:eth0", "rs2:eth0"].map(|it| at(all, it))
    };
    let counts = tcp(&live);
    assert_eq!(counts, tcp(&frames(&labs.0, &run)));
    assert!(counts[0] > 0 && counts[2] == 12, "{counts:?}");
}

#[test]
fn nodes_interfaces_and_header_fields_are_selected_and_lines_have_their_names() {
    let labs = Labs::new();
    labs.up("one");
    let fields = ["--filter", "protocol: tcp, flags: S"];
    let capture = begin(&labs, &["lb:eth0", "rs1", fields[0], fields[1]], "some.pcapng");
    labs.labsim(&["step"]).exits(0);
    end(capture).says("4 packets captured, none dropped");
    let (names, _) = blocks(&fs::read(labs.0.path("some.pcapng")).unwrap());
    assert_eq!(names, ["lb:eth0", "rs1:lo", "rs1:eth0", "rs1:tunl0"]);
    let points: Vec<_> = frames(&labs.0, "some.pcapng").into_iter().map(|(name, _)| name).collect();
    assert_eq!(points, ["lb:eth0", "lb:eth0", "rs1:eth0", "rs1:tunl0"]);
    let mut lines = spawn(&labs, &["capture", "client:eth0", "--filter", "{destination_port: 49}"]);
    let output = BufReader::new(lines.stdout.take().unwrap());
    let (sender, receiver) = channel();
    let reader = thread::spawn(move || {
        let send = |line: io::Result<String>| sender.send(line.unwrap()).unwrap();
        output.lines().for_each(send);
    });
    let began = Instant::now();
    // Whatever logs in once it has begun.
    let mut all: Vec<String> = loop {
        labs.labsim(&["step", "login"]).exits(0);
        match receiver.try_recv() {
            Ok(line) => break vec![line],
            Err(_) => assert!(began.elapsed() < DEADLINE, "no line"),
        }
    };
    labs.labsim(&["down"]).exits(0);
    Ended::of(lines.wait_with_output()).exits(0).says("; the lab `one` has ended");
    reader.join().unwrap();
    all.extend(receiver);
    let is_login = |line: &String| {
        line.contains(" ms client:eth0 out IP 192.168.11.201.") && line.contains(" > ")
    };
    assert!(all.iter().all(is_login), "{all:?}");
}

#[test]
fn a_capture_ends_with_whoever_reads_it_and_may_be_killed_without_a_trace() {
    let labs = Labs::new();
    labs.up("one");
    let files = || fs::read_dir(format!("/proc/{}/fd", labs.holder("one"))).unwrap().count();
    let (processes, before) = (labs.processes("one"), files());
    let mut reads = spawn(&labs, &["capture", "-w", "-"]);
    let mut header = [0; HEADER];
    let mut output = reads.stdout.take().unwrap();
    output.read_exact(&mut header).unwrap();
    assert_eq!(header[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    drop(output);
    // Nothing is sent in the lab, and it ends all the same.
    Ended::of(reads.wait_with_output()).exits(0);
    let killed = begin(&labs, &[], "killed.pcapng");
    labs.labsim(&["step"]).exits(0);
    signal(&killed, Signal::SIGKILL);
    assert_eq!(Ended::of(killed.wait_with_output()).code, None);
    // The holder lets go of a socket once its client has it, and of its client too.
    let began = Instant::now();
    while files() != before {
        assert!(began.elapsed() < DEADLINE, "{} files, were {before}", files());
    }
    assert_eq!(labs.processes("one"), processes);
    // What was written by then can be read, but for a block that was cut.
    let mut written = Reader::new(File::open(labs.0.path("killed.pcapng")).unwrap()).unwrap();
    let mut blocks = 0;
    while let Ok(Some(_)) = written.next_block() {
        blocks += 1;
    }
    assert!(blocks >= 17, "{blocks}");
    labs.labsim(&["check"]).exits(0).says("PASS one");
}

#[test]
fn a_reader_that_takes_nothing_keeps_neither_the_lab_nor_its_end_waiting() {
    let labs = Labs::new();
    labs.up("one");
    let (reader, writer) = pipe().unwrap();
    let mut command = labs.command(&["capture", "-w", "-"]);
    let capture = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let mut header = [0; HEADER];
    (&reader).read_exact(&mut header).unwrap();
    // More than a pipe holds: each has 10 KB.
    for _ in 0..12 {
        labs.labsim(&["step", "login"]).exits(0);
    }
    labs.labsim(&["down"]).exits(0);
    let rest = thread::spawn(move || {
        let mut bytes = header.to_vec();
        (&reader).read_to_end(&mut bytes).unwrap();
        bytes
    });
    Ended::of(capture.wait_with_output()).exits(0).says("; the lab `one` has ended");
    let (names, statistics) = blocks(&rest.join().unwrap());
    assert_eq!(names.len(), statistics);
}

#[test]
fn a_file_is_replaced_only_on_demand_and_a_fifo_is_written() {
    let labs = Labs::new();
    labs.up("one");
    fs::write(labs.0.path("mine.pcapng"), "mine").unwrap();
    let refused = labs.labsim(&["capture", "-w", "mine.pcapng"]).exits(2);
    refused.says("mine.pcapng: it exists already; name another file, or replace it with --force");
    assert_eq!(fs::read(labs.0.path("mine.pcapng")).unwrap(), b"mine");
    end(begin(&labs, &["--force", "lb"], "mine.pcapng"));
    let (names, _) = blocks(&fs::read(labs.0.path("mine.pcapng")).unwrap());
    assert_eq!(names, ["lb:lo", "lb:eth0"]);
    let fifo = labs.0.path("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    labs.labsim(&["capture", "-w", "fifo"]).exits(2).says("start the reader first");
    // Open for both, so that neither opening waits for the other end (fifo(7)).
    let mut reader = File::options().read(true).write(true).open(&fifo).unwrap();
    let capture = spawn(&labs, &["capture", "-w", "fifo", "rs1:eth0"]);
    let mut written = vec![0; HEADER];
    reader.read_exact(&mut written).unwrap();
    labs.labsim(&["down"]).exits(0);
    Ended::of(capture.wait_with_output()).exits(0);
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let rest = reader.read_to_end(&mut written).unwrap_err();
    assert_eq!(rest.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(blocks(&written).0, ["rs1:eth0"]);
    assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
}

#[test]
fn what_is_wrong_is_said_with_the_nearest_name_and_no_file_is_made() {
    let labs = Labs::new();
    let none = labs.labsim(&["capture", "-w", "a.pcapng"]).exits(2);
    none.says("no lab is up; `labsim up FILE` makes one");
    labs.up("one");
    let capture = |args: &[&str]| {
        let args: Vec<&str> = ["capture", "-w", "a.pcapng"].iter().chain(args).copied().collect();
        labs.labsim(&args).exits(2)
    };
    capture(&["rs9"]).says("the lab has no node `rs9`; did you mean `rs1`? Its nodes: ");
    let slip = capture(&["rs1:eht0"]);
    slip.says("rs1 has no interface `eht0`; did you mean `eth0`? Its interfaces: lo, eth0, tunl0");
    capture(&["--filter", "destination_prt: 49"]).says("did you mean `destination_port`");
    capture(&["--filter", "seq: 1"]).says("which may have passed before");
    capture(&["--name", "two"]).says("no lab `two` is up");
    assert!(!labs.0.path("a.pcapng").exists());
}
