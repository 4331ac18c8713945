//! Marked packets of a namespace's own sockets, on a real kernel: they are handed over, and nothing
//! else is.

// clippy.toml's exception for tests covers `#[test]` functions, and these are none.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use labsim_dataplane::FwmarkRedirect;
use labsim_test_support::wait_for;
use labsim_wire::checksum::ChecksumState;
use labsim_wire::{ipv4, ipv6, tcp, udp};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, bind,
    connect, getsockopt, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::Duration;
use support::namespace::{Namespace, acquire_privileges};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);
/// The namespace has no route to it.
const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);

/// A load balancer's namespace, `lo` up or down, and that of its cable's other end, with which
/// `eth0` would go.
fn balancer(lo: bool) -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new(), Namespace::new());
    far.veth("lb", &near, "eth0");
    near.sysctl("ipv4/ip_forward", "0");
    if lo {
        near.up("lo");
    }
    near.up("eth0");
    near.address("eth0", "10.9.9.2/24");
    (near, far)
}

/// A datagram to the VIP from an own address, marked or not.
fn send(mark: Option<u32>) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((OWN, 0))?;
    if let Some(mark) = mark {
        setsockopt(&socket, sockopt::Mark, &mark)?;
    }
    socket.connect((VIP, 49))?;
    socket.send(b"seven b")?;
    Ok(socket)
}

fn is_unreachable(sent: io::Result<UdpSocket>) -> bool {
    sent.is_err_and(|error| error.raw_os_error() == Some(Errno::ENETUNREACH as i32))
}

/// The namespace's rules with that mark.
fn rules(mark: u32) -> usize {
    let (flags, protocol) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).unwrap();
    // `struct nlmsghdr`, and `struct fib_rule_hdr` of IPv4.
    let mut request = [0u8; 28];
    request[0] = 28;
    request[4..6].copy_from_slice(&libc::RTM_GETRULE.to_ne_bytes());
    let dump = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    request[6..8].copy_from_slice(&dump.to_ne_bytes());
    request[16] = libc::AF_INET as u8;
    nix::sys::socket::send(kernel.as_raw_fd(), &request, MsgFlags::empty()).unwrap();
    let mut rules = vec![0; 64 * 1024];
    let length = nix::sys::socket::recv(kernel.as_raw_fd(), &mut rules, MsgFlags::empty()).unwrap();
    // Each of ours has it twice: it is the table's number too.
    rules[..length].windows(4).filter(|word| *word == mark.to_ne_bytes()).count() / 2
}

fn only_marked_packets_are_handed_over_whole() {
    let (near, _far) = balancer(true);
    near.run(|| {
        let mut room = vec![0; FwmarkRedirect::ROOM];
        let redirect = FwmarkRedirect::open("eth0", false).unwrap();
        assert!(is_unreachable(send(None)), "the namespace's own routes stay as they are");
        assert!(is_unreachable(send(Some(redirect.mark() + 1))), "another's mark");
        assert!(redirect.receive(&mut room).is_none());
        let sender = send(Some(redirect.mark())).unwrap();
        wait_for("diverted datagram", || {
            let Some(packet) = redirect.receive(&mut room) else { return false };
            let packet = ipv4::View::new(packet).unwrap();
            assert!(packet.checksum_ok());
            assert_eq!((packet.source(), packet.destination()), (OWN, VIP));
            let datagram = udp::View::new(packet.payload()).unwrap();
            assert_eq!(datagram.checksum_state(&packet.addresses()), ChecksumState::Good);
            let own = sender.local_addr().unwrap().port();
            assert_eq!((datagram.source_port(), datagram.payload()), (own, &b"seven b"[..]));
            true
        });
        assert!(redirect.receive(&mut room).is_none(), "once");
    });
}

fn a_connection_request_fits_the_interface() {
    let (near, _far) = balancer(true);
    near.run(|| {
        let mut room = vec![0; FwmarkRedirect::ROOM];
        let redirect = FwmarkRedirect::open("eth0", false).unwrap();
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
        setsockopt(&socket, sockopt::Mark, &redirect.mark()).unwrap();
        let address = |ip, port| SockaddrIn::from(SocketAddrV4::new(ip, port));
        bind(socket.as_raw_fd(), &address(OWN, 0)).unwrap();
        assert_eq!(connect(socket.as_raw_fd(), &address(VIP, 49)), Err(Errno::EINPROGRESS));
        wait_for("diverted SYN", || {
            let Some(packet) = redirect.receive(&mut room) else { return false };
            let packet = ipv4::View::new(packet).unwrap();
            let segment = tcp::View::new(packet.payload()).unwrap();
            assert_eq!(segment.flags(), tcp::Flags::SYN);
            assert_eq!(segment.checksum_state(&packet.addresses()), ChecksumState::Good);
            assert_eq!(segment.mss(), Some(1460), "eth0's, and not lo's");
            true
        });
    });
}

fn marked_ipv6_packets_are_handed_over_and_not_answered_by_the_kernel() {
    let own: Ipv6Addr = "2001:db8:9::2".parse().unwrap();
    let vip: Ipv6Addr = "2001:db8:4::99".parse().unwrap();
    let (near, _far) = balancer(true);
    near.sysctl("ipv6/conf/eth0/accept_dad", "0");
    near.address("eth0", "2001:db8:9::2/64");
    near.run(|| {
        let mut room = vec![0; FwmarkRedirect::ROOM];
        let redirect = FwmarkRedirect::open("eth0", true).unwrap();
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let connecting = |mark: u32| {
            let socket = socket(AddressFamily::Inet6, SockType::Stream, flags, None).unwrap();
            setsockopt(&socket, sockopt::Mark, &mark).unwrap();
            let address = |ip, port| SockaddrIn6::from(SocketAddrV6::new(ip, port, 0, 0));
            wait_for("own address", || bind(socket.as_raw_fd(), &address(own, 0)).is_ok());
            let result = connect(socket.as_raw_fd(), &address(vip, 49));
            (socket, result)
        };
        let unreachable = [Err(Errno::ENETUNREACH), Err(Errno::EHOSTUNREACH)];
        assert!(unreachable.contains(&connecting(redirect.mark() + 1).1), "another's mark");
        let (socket, result) = connecting(redirect.mark());
        assert_eq!(result, Err(Errno::EINPROGRESS));
        for number in ["first SYN", "second SYN, as the first had no answer"] {
            wait_for(number, || {
                let Some(packet) = redirect.receive(&mut room) else { return false };
                let packet = ipv6::View::new(packet).unwrap();
                assert_eq!((packet.source(), packet.destination()), (own, vip));
                let segment = tcp::View::new(packet.payload()).unwrap();
                assert_eq!(segment.flags(), tcp::Flags::SYN);
                assert_eq!(segment.checksum_state(&packet.addresses()), ChecksumState::Good);
                assert_eq!(segment.mss(), Some(1440), "eth0's, and not lo's");
                true
            });
        }
        assert_eq!(getsockopt(&socket, sockopt::SocketError).unwrap(), 0, "no reset");
        let mark = redirect.mark();
        drop(redirect);
        assert!(unreachable.contains(&connecting(mark).1), "nothing of it stays");
    });
}

fn nothing_of_it_stays_and_what_a_killed_one_left_is_taken_over() {
    let (near, _far) = balancer(true);
    near.run(|| {
        let mut room = vec![0; FwmarkRedirect::ROOM];
        for _ in 0..3 {
            // It has no end, as that of a process that was killed.
            std::mem::forget(FwmarkRedirect::open("eth0", false).unwrap());
        }
        let redirect = FwmarkRedirect::open("eth0", false).unwrap();
        let mark = redirect.mark();
        assert_eq!(rules(mark), 1);
        let _socket = send(Some(mark)).unwrap();
        wait_for("diverted datagram", || redirect.receive(&mut room).is_some());
        drop(redirect);
        assert!(is_unreachable(send(Some(mark))), "no route is left");
        assert_eq!(rules(mark), 0);
    });
}

fn answers_from_the_vip_pass_a_strict_reverse_path_filter() {
    let ((near, _eth0), far) = (balancer(true), Namespace::new());
    far.veth("lb", &near, "eth1");
    for (node, name, address) in [(&near, "eth1", "10.8.8.2/24"), (&far, "lb", "10.8.8.1/24")] {
        node.up(name);
        node.address(name, address);
    }
    near.sysctl("ipv4/conf/all/rp_filter", "1");
    near.sysctl("ipv4/conf/eth1/rp_filter", "1");
    near.route("0.0.0.0/0", "10.8.8.1");
    far.address("lb", "172.16.4.99/32");
    let own = Ipv4Addr::new(10, 8, 8, 2);
    let server = far.run(|| UdpSocket::bind((VIP, 49)).unwrap());
    near.run(|| {
        let redirect = FwmarkRedirect::open("eth1", false).unwrap();
        let socket = UdpSocket::bind((own, 0)).unwrap();
        setsockopt(&socket, sockopt::Mark, &redirect.mark()).unwrap();
        socket.connect((VIP, 49)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        server.send_to(b"answer", socket.local_addr().unwrap()).unwrap();
        let mut answer = [0; 16];
        assert_eq!(socket.recv(&mut answer).unwrap(), 6);
    });
    assert_eq!(near.counter("Ip", "InAddrErrors"), 0);
}

fn a_vip_of_the_namespaces_own_is_refused() {
    let (near, _far) = balancer(true);
    near.run(|| {
        let error = FwmarkRedirect::refuse_own("eth0", [VIP.into(), OWN.into()]).unwrap_err();
        assert!(error.to_string().contains("cannot probe the VIP 10.9.9.2"), "{error}");
        FwmarkRedirect::refuse_own("eth0", [VIP.into()]).unwrap();
    });
}

fn what_is_missing_is_named() {
    let (near, _far) = balancer(false);
    near.run(|| {
        let error = FwmarkRedirect::open("eth0", false).unwrap_err().to_string();
        assert!(error.contains("`lo`") && error.contains("set it up first"), "{error}");
        let error = FwmarkRedirect::open("eth7", false).unwrap_err().to_string();
        assert!(error.contains("no interface `eth7`"), "{error}");
    });
}

labsim_test_support::tests![
    only_marked_packets_are_handed_over_whole,
    a_connection_request_fits_the_interface,
    marked_ipv6_packets_are_handed_over_and_not_answered_by_the_kernel,
    nothing_of_it_stays_and_what_a_killed_one_left_is_taken_over,
    answers_from_the_vip_pass_a_strict_reverse_path_filter,
    a_vip_of_the_namespaces_own_is_refused,
    what_is_missing_is_named,
];

fn main() -> ExitCode {
    labsim_test_support::run(acquire_privileges, trials())
}
