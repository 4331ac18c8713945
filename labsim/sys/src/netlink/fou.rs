//! UDP ports that the kernel takes tunnel packets at (linux/fou.h), by generic netlink.

use super::attribute::plain;
use super::generic::Family;
use netlink_packet_core::DefaultNla;
use nix::errno::Errno;

/// `FOU_CMD_ADD`, its attributes, and `FOU_ENCAP_GUE`.
const ADD: u8 = 1;
const PORT: u16 = 1;
const FAMILY: u16 = 2;
const TYPE: u16 = 4;
const GUE: u8 = 2;

/// Has the kernel take GUE packets to a UDP port, in the namespace of the calling thread for as long as
/// that is there: what is inside goes to the handlers of protocol 4 and 41, so that a tunnel's device
/// gets it.
///
/// # Errors
/// `EOPNOTSUPP` on a kernel without fou, `EADDRINUSE` for a port that has a socket, `EPERM` without
/// CAP_NET_ADMIN.
pub fn add_gue(ipv4: bool, port: u16) -> Result<(), Errno> {
    let result = Family::open(b"fou\0")?.ask(ADD, &request(ipv4, port)).map(drop);
    tracing::debug!(port, ipv4, ?result, "fou port");
    result
}

fn request(ipv4: bool, port: u16) -> [DefaultNla; 3] {
    let family = if ipv4 { libc::AF_INET } else { libc::AF_INET6 };
    [
        plain(PORT, &port.to_be_bytes()),
        plain(FAMILY, &[family.to_le_bytes()[0]]),
        plain(TYPE, &[GUE]),
    ]
}

#[cfg(test)]
mod tests {
    use super::{ADD, request};
    use crate::netlink::emit;
    use crate::netlink::generic::Message;

    #[test]
    fn a_request_names_port_family_and_encapsulation() {
        let mut bytes = Vec::new();
        emit(Message::new(0x1b, ADD, &request(false, 6080)), 5, 0, &mut bytes);
        let pair = |a: u16, b: u16| [a.to_ne_bytes(), b.to_ne_bytes()].concat();
        assert_eq!(bytes[..4], 44_u32.to_ne_bytes());
        assert_eq!(bytes[4..8], pair(0x1b, 5));
        let attributes = [
            vec![1, 1, 0, 0],
            pair(6, 1),
            vec![0x17, 0xc0, 0, 0],
            pair(5, 2),
            vec![10, 0, 0, 0],
            pair(5, 4),
            vec![2, 0, 0, 0],
        ];
        assert_eq!(bytes[16..], attributes.concat());
    }
}
