//! Listening sockets: `ss -ltnu` (ss(8)) and `netstat -ltnu`.

use super::host::{Host, Socket};
use super::typed::COMMAND;
use crate::place::Place;
use crate::report::Report;
use std::net::IpAddr;

/// A connection, or a socket of another family.
const OTHER: &str = "socket that waits for nobody";

/// A socket, or the head of their table. Whether the line is one.
pub(super) fn line(line: &str, place: Place, host: &mut Host, report: &mut Report<'_>) -> bool {
    /// Most sockets that are remembered.
    const MOST: usize = 10_000;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let rest = match words.as_slice() {
        ["Netid" | "State" | "Proto", ..] | ["Active", "Internet", ..] => {
            report.left_out(place, COMMAND);
            return true;
        }
        [protocol, rest @ ..] if protocol.starts_with("tcp") || protocol.starts_with("udp") => rest,
        rest => rest,
    };
    let is_tcp = match (words.as_slice(), rest) {
        ([_, ..], [state, ..]) if *state == "LISTEN" => true,
        ([_, ..], [state, ..]) if *state == "UNCONN" => false,
        // netstat has the state behind the addresses, and none of UDP.
        ([protocol, _, _, _, _, state, ..], _) if protocol.starts_with("tcp") => {
            if *state != "LISTEN" && number_pair(rest) {
                report.left_out(place, OTHER);
                return true;
            }
            true
        }
        ([protocol, _, _, _, _, ..], _) if protocol.starts_with("udp") => false,
        _ => return false,
    };
    if words.first().is_some_and(|first| ["u_str", "u_dgr", "nl", "p_raw", "raw"].contains(first)) {
        report.left_out(place, OTHER);
        return true;
    }
    let Some(local) = rest.iter().find(|word| word.contains(':')) else { return false };
    let Some(mut socket) = socket(local, place) else { return false };
    socket.is_tcp = is_tcp;
    *if is_tcp { &mut host.has_tcp } else { &mut host.has_udp } = true;
    let is_known = |it: &Socket| {
        (it.is_tcp, it.address, it.port, &it.device)
            == (socket.is_tcp, socket.address, socket.port, &socket.device)
    };
    if host.sockets.len() < MOST && !host.sockets.iter().any(is_known) {
        host.sockets.push(socket);
    }
    true
}

fn number_pair(words: &[&str]) -> bool {
    words.iter().take(2).all(|word| word.parse::<u64>().is_ok())
}

/// `*:49`, `0.0.0.0:49`, `[::]:49`, `:::49`, `127.0.0.53%lo:53`
fn socket(text: &str, place: Place) -> Option<Socket> {
    let (address, port) = text.rsplit_once(':')?;
    let port = match port {
        "tacacs" => 49,
        "radius" => 1812,
        "radius-acct" => 1813,
        port => port.parse().ok()?,
    };
    let (address, device) = match address.split_once('%') {
        Some((address, device)) => (address, Some(device.trim_end_matches(']').to_owned())),
        None => (address, None),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = match address {
        "*" => None,
        text => Some(text.parse::<IpAddr>().ok()?).filter(|it| !it.is_unspecified()),
    };
    Some(Socket { place, is_tcp: true, address, port, device })
}

#[cfg(test)]
mod tests {
    use super::{Place, Socket};

    fn socket(text: &str) -> Option<Socket> {
        super::socket(text, Place::new(0, 0, 0))
    }

    #[test]
    fn sockets_of_every_address_have_none() {
        for text in ["*:49", "0.0.0.0:49", "[::]:49", ":::49", "*:tacacs"] {
            let socket = socket(text).unwrap();
            assert_eq!((socket.address, socket.port), (None, 49), "{text}");
        }
        let bound = socket("127.0.0.53%lo:53").unwrap();
        assert_eq!(
            (bound.address, bound.device.as_deref()),
            ("127.0.0.53".parse().ok(), Some("lo"))
        );
        assert_eq!(socket("x:y"), None);
    }
}
