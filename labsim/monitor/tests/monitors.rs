//! Monitors on loopback, against sockets that answer, refuse and keep silent. Nobody takes their
//! commands here: what the forwarder does is its own tests' matter.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use labsim_dataplane::forwarder;
use labsim_forwarder::Config;
use labsim_monitor::{Health, Monitors, State, StateChange};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// A pool of these members with that monitor.
fn config(members: &[SocketAddr], monitor: &str) -> Config {
    let members: Vec<String> = members.iter().map(|member| format!("\"{member}\"")).collect();
    let members = members.join(",");
    let text = format!(
        r#"{{"interface":"lo","virtual_servers":{{}},
            "pools":{{"p":{{"members":[{members}],"monitor":{monitor}}}}}}}"#
    );
    labsim_yaml::read(&labsim_yaml::Source::new("test", text.as_str())).unwrap()
}

struct Watched {
    monitors: Monitors,
    changes: Receiver<StateChange>,
}

impl Watched {
    fn start(config: &Config) -> Self {
        let (handle, commands) = forwarder::commands().unwrap();
        drop(commands);
        let (sender, changes) = channel();
        let tell = move |change: &StateChange| drop(sender.send(change.clone()));
        let monitors = Monitors::start(handle, tell).unwrap();
        monitors.prepare(config).unwrap();
        monitors.configure(config);
        Self { monitors, changes }
    }

    /// The next change, and the sentence about it.
    fn next(&self) -> (State, String) {
        let change = self.changes.recv_timeout(DEADLINE).unwrap();
        (change.state, change.to_string())
    }

    fn health(&self, member: SocketAddr) -> Option<Health> {
        self.monitors.health().get("p")?.get(&member.to_string()).cloned()
    }

    /// Waits until a probe more has ended.
    fn probed(&self, member: SocketAddr) -> Health {
        let before = self.health(member).map_or(0, |health| health.probes);
        let start = Instant::now();
        loop {
            let health = self.health(member).unwrap();
            if health.probes > before {
                return health;
            }
            assert!(start.elapsed() < DEADLINE, "no probe: {health:?}");
            std::thread::yield_now();
        }
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_member_that_stops_listening_goes_down_and_comes_up_again() {
    let (listening, member) = listener();
    let watched = Watched::start(&config(&[member], r#"{"tcp":{"interval":"20ms","fall":2}}"#));
    let (state, told) = watched.next();
    assert_eq!((state, told), (State::Up, format!("member {member} of p is up: connected")));
    drop(listening);
    let (state, told) = watched.next();
    assert_eq!(state, State::Down);
    assert!(told.contains("is down") && told.contains("connection refused"), "{told}");
    let health = watched.health(member).unwrap();
    assert_eq!(health.state, State::Down);
    assert!(health.failed >= 2 && health.probes > health.failed, "{health:?}");
    let _again = TcpListener::bind(member).unwrap();
    assert_eq!(watched.next().0, State::Up);
}

#[test]
fn a_connection_that_is_probed_ends_with_a_reset_at_once() {
    let (listening, member) = listener();
    let _watched = Watched::start(&config(&[member], r#"{"tcp":{"interval":"20ms"}}"#));
    let (mut stream, _) = listening.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// Answers each connection with what `answer` makes of the first packet.
fn serve(listening: TcpListener, answer: impl Fn(&[u8], &mut TcpStream) + Send + 'static) {
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listening.accept() {
            let mut packet = [0; 512];
            let length = stream.read(&mut packet).unwrap_or_default();
            answer(&packet[..length], &mut stream);
        }
    });
}

#[test]
fn what_is_no_tacacs_reply_is_no_answer() {
    for (answer, words) in [
        ("", "closed without an answer"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "the reply is unreadable"),
    ] {
        let (listening, member) = listener();
        serve(listening, move |packet, stream| {
            assert!(packet.len() >= 12 && packet[0] == 0xc0 && packet[1] == 1, "{packet:?}");
            let _ = stream.write_all(answer.as_bytes());
        });
        let monitor = r#"{"tacacs":{"interval":"500ms","secret":"s3cr3t"}}"#;
        let (state, told) = Watched::start(&config(&[member], monitor)).next();
        assert_eq!(state, State::Down);
        assert!(told.contains(words) && !told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn silence_is_told_with_how_long_it_was_waited_for() {
    // Connections are made by the kernel, and nobody accepts them.
    let (_listening, tacacs) = listener();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let radius = socket.local_addr().unwrap();
    for (member, kind) in [(tacacs, "tacacs"), (radius, "radius")] {
        let options = r#"{"interval":"60ms","timeout":"30ms","secret":"s"}"#;
        let watched = Watched::start(&config(&[member], &format!("{{\"{kind}\":{options}}}")));
        let (state, told) = watched.next();
        assert_eq!(state, State::Down, "{kind}");
        assert!(told.contains("30ms") && told.contains("no answer"), "{kind}: {told}");
    }
}

#[test]
fn a_radius_port_that_nobody_listens_on_is_told_as_that() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let member = socket.local_addr().unwrap();
    drop(socket);
    let monitor = r#"{"radius":{"interval":"500ms","secret":"s"}}"#;
    let (state, told) = Watched::start(&config(&[member], monitor)).next();
    assert_eq!(state, State::Down);
    assert!(told.contains("refused"), "{told}");
}

#[test]
fn another_configuration_keeps_who_stays_and_forgets_who_goes() {
    let (_one, first) = listener();
    let (two, second) = listener();
    let monitor = r#"{"tcp":{"interval":"20ms"}}"#;
    let watched = Watched::start(&config(&[first, second], monitor));
    let states: BTreeSet<State> = [watched.next().0, watched.next().0].into();
    assert_eq!(states, BTreeSet::from([State::Up]));
    let before = watched.probed(first);
    watched.monitors.configure(&config(&[first], monitor));
    let start = Instant::now();
    while watched.health(second).is_some() {
        assert!(start.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    let after = watched.probed(first);
    assert!(after.probes > before.probes && after.since_ms == before.since_ms, "{after:?}");
    drop(two);
    // Another monitor: its state is what it was, and results in a row decide, not the first.
    watched.monitors.configure(&config(&[first], r#"{"tcp":{"interval":"30ms","fall":2}}"#));
    assert_eq!(watched.probed(first).state, State::Up);
    watched.monitors.configure(&config(&[first, second], r#"{"tcp":{"interval":"30ms"}}"#));
    let (state, told) = watched.next();
    assert_eq!(state, State::Down, "the first result of one that is new decides");
    assert!(told.contains(&second.to_string()), "{told}");
}

#[test]
fn after_the_stop_nothing_is_probed_and_origins_are_told() {
    let (listening, member) = listener();
    let watched = Watched::start(&config(&[member], r#"{"tcp":{"interval":"10ms"}}"#));
    let (_, first) = listening.accept().unwrap();
    watched.probed(member);
    let sources = watched.monitors.stop();
    assert!(sources.tcp.contains(&first.port()), "{sources:?}");
    assert_eq!(sources.addresses, BTreeSet::from([first.ip()]));
    assert!(sources.udp.is_empty() && sources.icmp.is_empty());
    let health = watched.health(member).unwrap();
    assert_eq!(health.state, State::Up, "it stays as it was found");
    listening.set_nonblocking(true).unwrap();
    while listening.accept().is_ok() {}
    watched.monitors.configure(&config(&[member], r#"{"tcp":{"interval":"11ms"}}"#));
    assert_eq!(watched.monitors.stop(), sources, "and nothing begins anew");
    assert!(listening.accept().is_err());
}
