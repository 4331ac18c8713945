//! Sockets, as the files below `/proc/net` list them (proc_pid_net(5)). These do not tell which
//! device a socket is bound to, nor whether one of IPv6 takes IPv4.

use super::{MOST, Reader};
use labsim_model::StatePart;
use labsim_model::node_state::{BoundSocket, SocketState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` (net/tcp_states.h), as the files write it.
const LISTEN: &str = "0A";
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

pub(super) fn read(reader: &mut Reader) -> Vec<BoundSocket> {
    let part = StatePart::Sockets;
    let files = [("tcp", TCP), ("tcp6", TCP), ("udp", UDP), ("udp6", UDP), ("raw", 0), ("raw6", 0)];
    let mut all = Vec::new();
    for (file, protocol) in files {
        let text = reader.file(part, file);
        let mut found = parse(&text, protocol);
        all.extend(found.by_ref().take(MOST));
        if found.next().is_some() {
            reader.lacks(part, format!("{file} lists more than {MOST}"));
        }
    }
    all
}

/// A line a socket, after a heading; `protocol` is 0 of raw ones, whose port is their protocol.
pub(crate) fn parse(text: &str, protocol: u8) -> impl Iterator<Item = BoundSocket> {
    text.lines().skip(1).filter_map(move |line| socket(line, protocol))
}

/// `0: 3301010A:0031 00000000:0000 0A ...`
fn socket(line: &str, protocol: u8) -> Option<BoundSocket> {
    let mut words = line.split_whitespace().skip(1);
    let local = address(words.next()?)?;
    let remote = address(words.next()?)?;
    let state = words.next()?;
    let raw = protocol == 0;
    let unbound = remote.ip().is_unspecified() && remote.port() == 0;
    Some(BoundSocket {
        protocol: if raw { u8::try_from(local.port()).ok()? } else { protocol },
        raw,
        local: if raw { SocketAddr::new(local.ip(), 0) } else { local },
        remote: (!unbound).then_some(remote),
        state: match (protocol, state) {
            (TCP, LISTEN) => SocketState::Listening,
            (TCP, _) => SocketState::Connection,
            _ => SocketState::Open,
        },
        device: None,
        ipv6_only: None,
    })
}

/// An address as its words of four bytes in the machine's order, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| -> Option<[u8; 4]> {
        Some(u32::from_str_radix(address.get(8 * at..8 * at + 8)?, 16).ok()?.to_ne_bytes())
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (at, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(at)?);
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";

    fn only(line: &str, protocol: u8) -> BoundSocket {
        let text = format!("{HEADING}{line}\n");
        let found: Vec<_> = parse(&text, protocol).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn a_listener_has_its_address_and_no_peer() {
        let line = "   0: 3301010A:0031 00000000:0000 0A 00000000:00000000 00:00000000";
        let found = only(line, TCP);
        assert_eq!(found.local, "10.1.1.51:49".parse().unwrap());
        assert_eq!((found.state, found.remote, found.raw), (SocketState::Listening, None, false));
    }

    #[test]
    fn a_connection_and_a_connected_socket_have_their_peer() {
        let line = "   1: 3301010A:0031 C90BA8C0:C351 01 00000000:00000000 00:00000000";
        let peer = Some("192.168.11.201:50001".parse().unwrap());
        let found = only(line, TCP);
        assert_eq!((found.state, found.remote), (SocketState::Connection, peer));
        let found = only(line, UDP);
        assert_eq!((found.state, found.remote), (SocketState::Open, peer));
    }

    #[test]
    fn an_ipv6_address_is_four_words_and_a_raw_sockets_port_is_its_protocol() {
        let line = "  9: B80D0120000000000000000001000000:0714 \
                    00000000000000000000000000000000:0000 07 00000000:00000000";
        assert_eq!(only(line, UDP).local, "[2001:db8::1]:1812".parse().unwrap());
        let line = "  4: 00000000:0004 00000000:0000 07 00000000:00000000 00:00000000";
        let found = only(line, 0);
        assert_eq!((found.protocol, found.raw), (4, true));
        assert_eq!(found.local, "0.0.0.0:0".parse().unwrap());
    }

    #[test]
    fn any_cut_line_is_read_without_a_panic() {
        let line = "0: B80D0120000000000000000001000000:0714 3301010A:0031 07 ä";
        for cut in (0..line.len()).filter(|cut| line.is_char_boundary(*cut)) {
            let _ = socket(&line[..cut], UDP);
        }
        assert!(socket("0: ä23456ä:0714 3301010A:0031 07", UDP).is_none());
    }
}
