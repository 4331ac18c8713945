//! Checking one GRE header, in the order of the kernel's checks: pure, on one packet's bytes.

use labsim_model::GreOptions;
use labsim_wire::ethernet::ethertype;
use labsim_wire::gre;

/// Why a packet does not come out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Cut short, version 1, or source routing.
    Malformed,
    /// A checksum that is wrong.
    Checksum,
    /// A checksum that is missing, or not wanted.
    ChecksumUnwanted,
    /// Another key, or none.
    Key,
    /// It carries something else than IPv4 or IPv6.
    NotIp,
}

/// The length of the GRE header that `bytes` begin with, and the version of IP inside, if this end
/// takes the packet, as the kernel's device of these settings does:
///
/// - `key` (`ikey`): a packet has to carry it. Without one any packet is taken, whatever key it
///   carries, as `gre0` takes whatever no other device matches.
/// - `checksum` (`icsum`): a packet has to carry one; without it a packet must not, because
///   `ip_tunnel_rcv` drops what differs from the device in this (`rx_crc_errors`). A checksum that
///   is there and wrong is always refused.
pub(super) fn judge(expected: GreOptions, bytes: &[u8]) -> Result<(usize, u8), Refusal> {
    let header = gre::View::new(bytes).map_err(|_| Refusal::Malformed)?;
    // gre_parse_header: whatever the device wants, a checksum that is there has to be right.
    if header.checksum_ok() == Some(false) {
        return Err(Refusal::Checksum);
    }
    // ip_tunnel_key_match finds the device, ip_tunnel_rcv compares what else it wants.
    if expected.key.is_some() && header.key() != expected.key {
        return Err(Refusal::Key);
    }
    if header.has_checksum() != expected.checksum {
        return Err(Refusal::ChecksumUnwanted);
    }
    // A device of the kernel's takes other protocols as well, once it is found.
    let version = match header.protocol() {
        ethertype::IPV4 => 4,
        ethertype::IPV6 => 6,
        _ => return Err(Refusal::NotIp),
    };
    Ok((header.header_length(), version))
}

#[cfg(test)]
mod tests {
    use super::{GreOptions, Refusal, judge};
    use labsim_wire::gre::Header;

    fn packet(key: Option<u32>, checksum: bool, protocol: u16) -> Vec<u8> {
        let header = Header { protocol, checksum, key, sequence: None };
        let mut bytes = vec![0x45; header.length() + 20];
        header.emit(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_device_takes_what_agrees_with_it_and_refuses_the_rest_by_name() {
        for (key, checksum, sent_key, sent_checksum, judged) in [
            (None, false, None, false, Ok((4, 4))),
            (None, false, Some(7), false, Ok((8, 4))),
            (None, false, None, true, Err(Refusal::ChecksumUnwanted)),
            (None, true, None, true, Ok((8, 4))),
            (None, true, None, false, Err(Refusal::ChecksumUnwanted)),
            (Some(7), false, Some(7), false, Ok((8, 4))),
            (Some(7), false, Some(8), false, Err(Refusal::Key)),
            (Some(7), false, None, false, Err(Refusal::Key)),
            (Some(0), false, None, false, Err(Refusal::Key)),
            (Some(7), true, Some(7), true, Ok((12, 4))),
            (Some(7), true, Some(7), false, Err(Refusal::ChecksumUnwanted)),
            (Some(7), true, Some(9), false, Err(Refusal::Key)),
        ] {
            let sent = packet(sent_key, sent_checksum, 0x0800);
            assert_eq!(judge(GreOptions { key, checksum }, &sent), judged, "{key:?} {sent_key:?}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_refused_whatever_the_device_wants() {
        let mut bytes = packet(Some(7), true, 0x0800);
        bytes[20] ^= 1;
        for checksum in [false, true] {
            let expected = GreOptions { key: Some(8), checksum };
            assert_eq!(judge(expected, &bytes), Err(Refusal::Checksum));
        }
    }

    #[test]
    fn other_protocols_versions_and_short_headers_are_refused() {
        let any = GreOptions::default();
        for protocol in [0x6558, 0x883e, 0x8847] {
            assert_eq!(judge(any, &packet(None, false, protocol)), Err(Refusal::NotIp));
        }
        assert_eq!(judge(any, &packet(None, false, 0x86dd)), Ok((4, 6)));
        let mut pptp = packet(Some(1), false, 0x0800);
        pptp[1] |= 1;
        assert_eq!(judge(any, &pptp), Err(Refusal::Malformed));
        let mut routed = packet(None, false, 0x0800);
        routed[0] |= 0x40;
        assert_eq!(judge(any, &routed), Err(Refusal::Malformed));
        let whole = packet(Some(7), true, 0x0800);
        for length in 0..12 {
            assert_eq!(judge(any, &whole[..length]), Err(Refusal::Malformed), "{length}");
        }
    }
}
