//! Latency at a low load: from before the sending call to the kernel's timestamp of what comes
//! back (`SO_TIMESTAMPNS`).

use super::contestant::Contestant;
use super::path::Lab;
use super::{generator, median, socket};
use crate::scale::Scale;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, send, setsockopt};
use nix::time::{ClockId, clock_gettime};
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Packets of a contestant's turn, and turns.
const PACKETS: u64 = 250;
const TURNS: usize = 8;
const INTERVAL: Duration = Duration::from_millis(1);
const LENGTH: usize = 128;
/// Whatever has not come back by then is lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// Prints the table.
pub(super) fn print(lab: &Lab, scale: Scale) {
    let turns = scale.choose(TURNS, 1);
    let contestants: Vec<_> = lab.contestants.iter().filter(|it| it.name != "nothing").collect();
    let mut all: Vec<Vec<f64>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..turns {
        for (contestant, times) in contestants.iter().zip(&mut all) {
            turn(lab, contestant, times);
        }
    }
    let sent = PACKETS * turns as u64;
    println!("\n  latency in µs at 1000 packets a second, {sent} packets of {LENGTH} bytes each");
    println!(
        "  {:<28} {:>9} {:>9} {:>11} {:>11} {:>6}",
        "", "p50", "p99", "added p50", "added p99", "lost"
    );
    for times in &mut all {
        times.sort_by(f64::total_cmp);
    }
    let (p50, p99) = (median(all[0].clone()), hundredth(&all[0]));
    for (contestant, times) in contestants.iter().zip(&all) {
        let (own50, own99) = (median(times.clone()), hundredth(times));
        println!(
            "  {:<28} {own50:>9.1} {own99:>9.1} {:>11.1} {:>11.1} {:>6}",
            contestant.title(),
            own50 - p50,
            own99 - p99,
            sent - times.len() as u64,
        );
    }
}

/// The 99th percentile of sorted figures.
fn hundredth(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

fn turn(lab: &Lab, contestant: &Contestant, times: &mut Vec<f64>) {
    let sender = socket::open(lab.ends(), contestant.index, 0);
    let receiver = socket::open(lab.ends(), contestant.index, socket::IP);
    setsockopt(&receiver, ReceiveTimestampns, &true).expect("SO_TIMESTAMPNS");
    let mut frame = [0; LENGTH];
    generator::write(&mut frame, contestant.mac, super::path::VIP.into(), 0);
    let began = Instant::now();
    for number in 1..=PACKETS {
        // The number is the payload's end, so it is the frame's end in a tunnel as well; UDP's
        // checksum is the members' matter.
        frame[LENGTH - 8..].copy_from_slice(&number.to_be_bytes());
        let left: Duration = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock").into();
        send(sender.as_raw_fd(), &frame, MsgFlags::empty()).expect("a frame leaves");
        let sent = Instant::now();
        while let Some(patience) = PATIENCE.checked_sub(sent.elapsed()) {
            let mut readable = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut readable, u8::try_from(patience.as_millis()).unwrap_or(u8::MAX));
            if let Some((is, came)) = receive(receiver.as_raw_fd())
                && is == number
            {
                times.push(came.saturating_sub(left).as_secs_f64() * 1e6);
                break;
            }
        }
        let next = began + INTERVAL * number as u32;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// The next frame's number and the kernel's time of it.
fn receive(socket: i32) -> Option<(u64, Duration)> {
    let mut frame = [0; 256];
    let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let mut vector = [IoSliceMut::new(&mut frame)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket, &mut vector, Some(&mut control), flags).ok()?;
    let came = message.cmsgs().ok()?.find_map(|it| match it {
        ControlMessageOwned::ScmTimestampns(time) => Some(time.into()),
        _ => None,
    });
    let length = message.bytes;
    let number = frame[..length].last_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    Some((number?, came?))
}
