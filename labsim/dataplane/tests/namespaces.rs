//! The data plane on real packets, between network namespaces of the test's own. Runs as root and
//! as an ordinary user alike.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::decapsulate::{self, Decapsulator};
use labsim_forwarder::{DeliberateFault, Outcome, OuterSource};
use labsim_test_support::{Completion, PATIENCE};
use nix::sys::signal::{Signal, kill};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Instant;
use support::forwarder::{self, Event, Forwarder};
use support::namespace::acquire_privileges;
use support::topology::{CLIENT, Topology, VIP, config};

labsim_test_support::tests![
    a_connection_goes_through_a_tun_and_straight_back,
    a_connection_goes_through_a_veth_tunnel_and_straight_back,
    bulk_data_arrives_whole_with_offloads_on,
    an_oversize_datagram_is_answered_with_the_mtu_less_the_tunnel_header,
    a_device_refuses_what_is_too_long_where_no_size_is_checked,
    an_echo_to_the_vip_is_answered,
    end_of_input_and_sigterm_end_it_with_counters,
    an_interface_that_is_down_or_absent_is_refused,
    another_vip_is_taken_while_it_runs_and_the_old_one_is_not,
    a_deleted_interface_ends_it_with_an_error,
    packets_routed_into_the_tunnel_are_dropped_by_name,
    a_veth_tunnel_that_is_down_is_counted_and_one_that_came_up_is_used,
];

fn main() -> ExitCode {
    forwarder::become_one();
    labsim_test_support::run(acquire_privileges, trials())
}

fn connect(lab: &Topology) -> TcpStream {
    let stream = lab.client.run(|| TcpStream::connect_timeout(&(VIP, 49).into(), PATIENCE));
    let stream = stream.unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks and answers over one connection; checks who saw whom.
fn exchange(lab: &Topology) {
    let listener = lab.server.run(|| TcpListener::bind((VIP, 49))).unwrap();
    let mut client = connect(lab);
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), CLIENT);
    assert_eq!(client.peer_addr().unwrap(), (VIP, 49).into());
    client.write_all(b"who am I?").unwrap();
    let mut question = [0; 9];
    server.read_exact(&mut question).unwrap();
    server.write_all(&question).unwrap();
    server.shutdown(Shutdown::Both).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"who am I?");
}

fn exchange_through(tunnel: impl FnOnce(&Topology) -> Decapsulator, outer_source: OuterSource) {
    let lab = Topology::build();
    let decapsulator = tunnel(&lab);
    let mut forwarder = Forwarder::start(&lab.balancer, &config(outer_source));
    exchange(&lab);
    // The client's last packets are still on their way: asked for until they are there.
    let start = Instant::now();
    let forwarded = loop {
        let forwarded = forwarder.counters().0.packets(Outcome::Forwarded);
        if forwarded >= 4 && decapsulator.counters().rx_packets == forwarded {
            break forwarded;
        }
        assert!(start.elapsed() < PATIENCE, "{forwarded}: {:?}", decapsulator.counters());
        std::thread::yield_now();
    };
    let (engine, socket) = forwarder.counters();
    assert_eq!(engine.virtual_servers["tcp"].flows_opened, 1);
    assert_eq!(engine.members["pool"]["10.1.1.52:49"].sent.packets, forwarded);
    assert_eq!((socket.dropped, socket.oversized, socket.send_errors), (0, 0, 0));
    assert!(socket.checksums_completed >= forwarded - 1, "{socket:?}");
    let counters = decapsulator.stop();
    let sent = engine.members["pool"]["10.1.1.52:49"].sent;
    assert_eq!((counters.rx_packets, counters.rx_bytes), (sent.packets, sent.bytes));
    let expected = decapsulate::Counters {
        rx_packets: counters.rx_packets,
        rx_bytes: counters.rx_bytes,
        ..Default::default()
    };
    assert_eq!(counters, expected);
}

fn a_connection_goes_through_a_tun_and_straight_back() -> Completion {
    match Topology::build().tunnel_of_tun() {
        Ok(_) => {
            exchange_through(|lab| lab.tunnel_of_tun().unwrap(), OuterSource::Client);
            Completion::Completed
        }
        Err(error) => Completion::ignored_with(format!("/dev/net/tun: {error}")),
    }
}

fn a_connection_goes_through_a_veth_tunnel_and_straight_back() {
    exchange_through(Topology::tunnel_of_veth, OuterSource::Egress);
}

fn bulk_data_arrives_whole_with_offloads_on() {
    const BYTES: usize = 4 << 20;
    let lab = Topology::build();
    let decapsulator = lab.tunnel_of_veth();
    let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Egress));
    let listener = lab.server.run(|| TcpListener::bind((VIP, 49))).unwrap();
    let mut client = connect(&lab);
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let data: Vec<u8> = (0..BYTES).map(|n| (n * 31 / 7) as u8).collect();
    let received = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut received = Vec::new();
            server.read_to_end(&mut received).unwrap();
            received
        });
        client.write_all(&data).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        reader.join().unwrap()
    });
    assert!(received == data, "{} of {BYTES} bytes", received.len());
    let (engine, socket) = forwarder.counters();
    // The client began with segments of a whole MTU, and was told.
    assert!(engine.packets(Outcome::FragmentationNeeded) > 0, "{engine:?}");
    // Frames longer than a slot are kept whole, as far as the kernel has room.
    assert!(socket.segmented > 4 * socket.oversized, "{socket:?}");
    assert_eq!(decapsulator.stop().rx_truncated, 0);
}

fn an_oversize_datagram_is_answered_with_the_mtu_less_the_tunnel_header() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Client));
    let socket = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    socket.connect((VIP, 49)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    set_ip_option(&socket, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO);
    // 1453 + 8 + 20 = 1481: one byte more than goes into the tunnel.
    socket.send(&[0; 1453]).unwrap();
    let error = socket.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE), "{error}");
    assert_eq!(ip_option(&socket, libc::IP_MTU), 1480);
    let (engine, _) = forwarder.counters();
    assert_eq!(engine.packets(Outcome::FragmentationNeeded), 1);
    assert_eq!(engine.answers.icmp_fragmentation_needed, 1);
    assert_eq!(engine.packets(Outcome::Forwarded), 0);
    socket.send(&[0; 1452]).unwrap();
    let start = Instant::now();
    while forwarder.counters().0.packets(Outcome::Forwarded) == 0 {
        assert!(start.elapsed() < PATIENCE);
    }
}

fn a_device_refuses_what_is_too_long_where_no_size_is_checked() {
    let lab = Topology::build();
    let mut faulty = config(OuterSource::Egress);
    faulty.balancer.faults.push(DeliberateFault::NoSizeCheck);
    let mut forwarder = Forwarder::start(&lab.balancer, &faulty);
    let socket = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    set_ip_option(&socket, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO);
    socket.connect((VIP, 49)).unwrap();
    socket.send(&[0; 1472]).unwrap();
    let start = Instant::now();
    let (engine, counted) = loop {
        let counters = forwarder.counters();
        if counters.1.send_errors > 0 {
            break counters;
        }
        assert!(start.elapsed() < PATIENCE, "{counters:?}");
    };
    // A slow router is asked for its address again.
    assert_eq!((counted.sent, counted.send_errors), (engine.neighbours.requests, 1));
    assert_eq!(engine.answers.icmp_fragmentation_needed, 0);
}

fn set_ip_option(socket: &UdpSocket, option: i32, value: i32) {
    labsim_sys::socket::set_int(socket.as_fd(), libc::IPPROTO_IP, option, value).unwrap();
}

fn ip_option(socket: &UdpSocket, option: i32) -> i32 {
    labsim_sys::socket::get_int(socket.as_fd(), libc::IPPROTO_IP, option).unwrap()
}

fn an_echo_to_the_vip_is_answered() {
    use nix::sys::socket::{MsgFlags, SockaddrIn, recv, sendto, setsockopt, sockopt};
    use std::os::fd::AsRawFd;
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Client));
    let socket = support::topology::raw_socket(&lab.client, true, labsim_wire::protocol::ICMP);
    let timeout = nix::sys::time::TimeVal::new(PATIENCE.as_secs() as i64, 0);
    setsockopt(&socket, sockopt::ReceiveTimeout, &timeout).unwrap();
    let mut request = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1, b'?', b'!', b'?'];
    let sum = labsim_wire::checksum::of(&request);
    request[2..4].copy_from_slice(&sum.to_be_bytes());
    let _taken = lab.balancer.run(|| UdpSocket::bind("10.9.9.2:9")).unwrap();
    // What is for the load balancer itself does not even reach the engine.
    let other = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    for _ in 0..5 {
        other.send_to(b"not for the VIP", "10.9.9.2:9").unwrap();
    }
    let to = SockaddrIn::from(std::net::SocketAddrV4::new(VIP, 0));
    sendto(socket.as_raw_fd(), &request, &to, MsgFlags::empty()).unwrap();
    let mut reply = [0; 1500];
    let length = recv(socket.as_raw_fd(), &mut reply, MsgFlags::empty()).unwrap();
    let ip = labsim_wire::ipv4::View::new(&reply[..length]).unwrap();
    assert_eq!((ip.source(), ip.ttl()), (VIP, 63));
    assert_eq!((ip.payload()[0], &ip.payload()[4..]), (0, &request[4..]));
    let (engine, _) = forwarder.counters();
    assert_eq!(engine.packets(Outcome::EchoAnswered), 1);
    assert_eq!(engine.packets(Outcome::NoVirtualAddress), 0);
}

fn end_of_input_and_sigterm_end_it_with_counters() {
    let lab = Topology::build();
    let end = |end: &dyn Fn(&mut Forwarder)| {
        let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Client));
        end(&mut forwarder);
        assert!(matches!(forwarder.event(), Some(Event::Counted(_))));
        assert_eq!(forwarder.event(), None);
        assert!(forwarder.wait().success());
    };
    end(&|forwarder| forwarder.close_input());
    end(&|forwarder| kill(forwarder.process(), Signal::SIGTERM).unwrap());
    end(&|forwarder| kill(forwarder.process(), Signal::SIGINT).unwrap());
}

/// Starts a forwarder that must not start, and gives its reason.
fn refusal(lab: &Topology) -> String {
    let mut forwarder = Forwarder::spawn(&lab.balancer, &config(OuterSource::Client));
    assert_eq!(forwarder.event(), None);
    assert!(!forwarder.wait().success());
    forwarder.complaint()
}

fn an_interface_that_is_down_or_absent_is_refused() {
    let lab = Topology::build();
    lab.balancer.down("eth0");
    let reason = refusal(&lab);
    assert!(reason.contains("`eth0`") && reason.contains("set it up"), "{reason}");
    let mut config = config(OuterSource::Client);
    config.interface = "eth7".to_owned();
    let mut forwarder = Forwarder::spawn(&lab.balancer, &config);
    assert!(!forwarder.wait().success());
    let reason = forwarder.complaint();
    assert!(reason.contains("no interface `eth7`"), "{reason}");
}

fn a_deleted_interface_ends_it_with_an_error() {
    let lab = Topology::build();
    let mut forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Client));
    lab.balancer.down("eth0");
    lab.balancer.up("eth0");
    // Down and up again is waited for.
    let _ = forwarder.counters();
    lab.balancer.delete("eth0");
    assert!(!forwarder.wait().success());
    let reason = forwarder.complaint();
    assert!(reason.contains("interface was deleted"), "{reason}");
}

fn another_vip_is_taken_while_it_runs_and_the_old_one_is_not() {
    const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 98);
    let lab = Topology::build();
    let decapsulator = lab.tunnel_of_veth();
    lab.router.route("172.16.4.98/32", "10.9.9.2");
    lab.server.address("lo", "172.16.4.98/32");
    let server = lab.server.run(|| UdpSocket::bind((OTHER, 49))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    let mut config = config(OuterSource::Client);
    let mut forwarder = Forwarder::start(&lab.balancer, &config);
    config.balancer.virtual_servers.remove("tcp");
    config.balancer.virtual_servers.get_mut("udp").unwrap().destination =
        SocketAddr::from((OTHER, 49)).into();
    assert_eq!(forwarder.reconfigure(&config).virtual_servers.changed, 1);
    client.send_to(b"old", (VIP, 49)).unwrap();
    client.send_to(b"new", (OTHER, 49)).unwrap();
    let mut data = [0; 16];
    let (length, _) = server.recv_from(&mut data).unwrap();
    assert_eq!(&data[..length], b"new");
    let (engine, socket) = forwarder.counters();
    // The old VIP's packet went the same way before, and the kernel's filter kept it away.
    assert_eq!((engine.packets(Outcome::Forwarded), socket.dropped), (1, 0));
    assert_eq!(engine.packets(Outcome::NoVirtualAddress), 0);
    assert_eq!(decapsulator.stop().rx_packets, 1);
}

fn packets_routed_into_the_tunnel_are_dropped_by_name() {
    let lab = Topology::build();
    let decapsulator = lab.tunnel_of_veth();
    let socket = lab.server.run(|| UdpSocket::bind((VIP, 0))).unwrap();
    labsim_sys::socket::bind_to_device(socket.as_fd(), "tunl0").unwrap();
    let start = Instant::now();
    while decapsulator.counters().tx_dropped == 0 {
        assert!(start.elapsed() < PATIENCE);
        let _ = socket.send_to(b"out", (CLIENT, 9));
        std::thread::yield_now();
    }
    let counters = decapsulator.stop();
    assert_eq!((counters.rx_packets, counters.tx_dropped_bytes > 0), (0, true));
}

fn a_veth_tunnel_that_is_down_is_counted_and_one_that_came_up_is_used() {
    let lab = Topology::build();
    let decapsulator = lab.tunnel_of_veth();
    lab.server.down("tunl0");
    let server = lab.server.run(|| UdpSocket::bind((VIP, 49))).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = lab.client.run(|| UdpSocket::bind((CLIENT, 0))).unwrap();
    let _forwarder = Forwarder::start(&lab.balancer, &config(OuterSource::Client));
    client.send_to(b"lost", (VIP, 49)).unwrap();
    let start = Instant::now();
    while decapsulator.counters().rx_device_down == 0 {
        assert!(start.elapsed() < PATIENCE, "{:?}", decapsulator.counters());
        std::thread::yield_now();
    }
    lab.server.up("tunl0");
    client.send_to(b"found", (VIP, 49)).unwrap();
    let mut data = [0; 16];
    let (length, _) = server.recv_from(&mut data).unwrap();
    assert_eq!(&data[..length], b"found");
    let counters = decapsulator.stop();
    assert_eq!((counters.rx_packets, counters.rx_device_down), (1, 1));
}
