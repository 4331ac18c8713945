//! Impaired links: two pairs with sockets between, and nothing goes through by itself.

use crate::hosts::{node, udp};
use crate::shape::{at, build, pair, scenario, userspace_mode};
use labsim_lab::{Capture, Lab, LabPlan, Queued, Relay, probe};
use labsim_scenario::model::{Impairment, Percent, Scenario};
use labsim_test_support::soon;
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

labsim_test_support::tests![
    an_impaired_link_is_two_pairs_and_somebody_has_to_relay,
    the_port_of_a_segment_is_split_as_well,
    a_lab_without_impairments_has_no_relays,
    netem_is_read_back_or_its_absence_is_named,
];

fn impairment() -> Impairment {
    Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        loss: Percent::of_millionths(100_000).unwrap(),
        duplicate: Percent::of_millionths(10_000).unwrap(),
        reorder: Percent::of_millionths(250_000).unwrap(),
        rate: Some(1_000_000),
        queue: 400,
        seed: 0,
    }
}

fn impaired(mut scenario: Scenario, node: &str, interface: &str) -> LabPlan {
    scenario.impairments.insert(at(node, interface), impairment());
    LabPlan::of(&scenario, userspace_mode())
}

/// Two hosts on one link; what the first sends is impaired.
fn impaired_pair() -> LabPlan {
    let mut scenario = scenario();
    scenario.topology = pair();
    scenario.real_servers.clear();
    impaired(scenario, "a", "eth0")
}

/// Passes frames on between the ends, as they are, until it is dropped.
struct Relaying {
    stop: Option<UnixStream>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relaying {
    fn start(relay: Relay) -> Self {
        let (stop, stopped) = UnixStream::pair().unwrap();
        let [first, second] = relay.ends.map(|end| end.socket);
        let thread = std::thread::spawn(move || {
            loop {
                let wait = |fd| PollFd::new(fd, PollFlags::POLLIN);
                let fds = [stopped.as_fd(), first.as_fd(), second.as_fd()];
                let mut fds = fds.map(wait);
                poll(&mut fds, None::<u8>).unwrap();
                if fds[0].any() == Some(true) {
                    return;
                }
                pass(&first, &second);
                pass(&second, &first);
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn pass(from: &OwnedFd, to: &OwnedFd) {
    let mut frame = [0; 2000];
    // What is sent out of a socket is seen by it as well; a frame with an inner end's own address
    // is never one of those.
    while let Ok((length, kind)) = receive(from, &mut frame) {
        if kind != libc::PACKET_OUTGOING {
            nix::unistd::write(to, &frame[..length]).unwrap();
        }
    }
}

fn receive(from: &OwnedFd, frame: &mut [u8]) -> nix::Result<(usize, u8)> {
    use nix::sys::socket::{LinkAddr, recvfrom};
    use std::os::fd::AsRawFd;
    let (length, address) = recvfrom::<LinkAddr>(from.as_raw_fd(), frame)?;
    Ok((length, address.map_or(0, |address| address.pkttype())))
}

fn relay_of(lab: &mut Lab) -> Relay {
    let mut relays = lab.take_relays();
    assert_eq!(relays.len(), 1);
    relays.remove(0)
}

fn an_impaired_link_is_two_pairs_and_somebody_has_to_relay() {
    let plan = impaired_pair();
    let said = "impaired by the relay: from a:eth0: delay 20ms, jitter 5ms, loss 10%, duplicate 1%, \
                reorder 25%, rate 1000000 bit/s, queue 400";
    assert!(plan.to_string().contains(said), "{plan}");
    let mut lab = build(&plan);
    let relay = relay_of(&mut lab);
    let [first, second] = &relay.ends;
    assert_eq!((&first.sender, &second.sender), (&Some(at("a", "eth0")), &Some(at("b", "eth0"))));
    assert_eq!((&first.impairment, &second.impairment), (&Some(impairment()), &None));
    let capture = Capture::start(&lab).unwrap();
    // Nobody relays: a marker leaves, and does not arrive.
    let silent = capture.flush(Instant::now() + Duration::from_millis(50)).unwrap().silent;
    assert_eq!(silent, ["a:eth0", "b:eth0"]);
    let _relaying = Relaying::start(relay);
    assert_eq!(capture.flush(soon()).unwrap().silent, [""; 0]);
    let server = udp(node(&lab, "b"), "10.0.0.2:700");
    udp(node(&lab, "a"), "0.0.0.0:0").send_to(b"first", "10.0.0.2:700").unwrap();
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 5);
}

fn the_port_of_a_segment_is_split_as_well() {
    let mut lab = build(&impaired(scenario(), "rs2", "eth0"));
    let relay = relay_of(&mut lab);
    // The switch's side has nobody's name.
    assert_eq!(relay.ends[0].sender, None);
    assert_eq!(relay.ends[1].sender, Some(at("rs2", "eth0")));
    assert_eq!(relay.ends[1].impairment, Some(impairment()));
    let _relaying = Relaying::start(relay);
    let server = udp(node(&lab, "rs2"), "10.1.1.52:700");
    udp(node(&lab, "rs1"), "0.0.0.0:0").send_to(b"first", "10.1.1.52:700").unwrap();
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 5);
}

fn a_lab_without_impairments_has_no_relays() {
    let mut lab = build(&LabPlan::of(&scenario(), userspace_mode()));
    assert!(lab.take_relays().is_empty());
}

fn netem_is_read_back_or_its_absence_is_named() {
    let built = Lab::build(&impaired_pair().with_netem());
    match probe::kernel_netem() {
        Ok(()) => {
            let mut relay = relay_of(&mut built.unwrap_or_else(|error| panic!("{error}")));
            let queued = relay.ends[0].netem.as_mut().unwrap().queued().unwrap();
            assert_eq!(queued, Queued::default());
            assert!(relay.ends[1].netem.is_none());
        }
        Err(missing) => {
            assert!(missing.remedy.contains("sch_netem"), "{missing}");
            let error = built.unwrap_err().to_string();
            assert!(error.starts_with("netem for frames from a:eth0: "), "{error}");
        }
    }
}
