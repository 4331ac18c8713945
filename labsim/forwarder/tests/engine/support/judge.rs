//! An independent decoder's (etherparse's) word on frames that go out.

use super::{US, port};
use etherparse::{EtherType, IpHeaders, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use labsim_wire::protocol;

/// Whether the decoder takes a frame that goes out; `right` if what it carries has to have right
/// checksums all the way.
///
/// # Panics
/// If it does not.
pub fn judge(frame: &[u8], right: bool) {
    assert!(frame.len() <= 14 + port().mtu, "{} bytes", frame.len());
    let packet = LaxSlicedPacket::from_ethernet(frame).unwrap();
    assert_eq!(frame[6..12], US.0);
    let ethertype = packet.ether_payload().unwrap().ether_type;
    if ethertype == EtherType::ARP {
        assert!(matches!(packet.net, Some(LaxNetSlice::Arp(_))));
        return;
    }
    let outer = Judged::header(&frame[14..]);
    assert_eq!(ethertype, outer.ethertype());
    match outer.protocol {
        // Half a tunnel packet: the member puts it together.
        protocol::IPIP | protocol::IPV6 | protocol::GRE if outer.fragmented => {}
        protocol::IPIP | protocol::IPV6 => {
            let inner = Judged::header(outer.payload);
            assert_eq!(outer.protocol == protocol::IPV6, inner.is_v6());
            inner.transport(right);
        }
        protocol::GRE => {
            let gre = outer.payload;
            let flags = u16::from_be_bytes([gre[0], gre[1]]);
            let [checksum, key] = [0x8000, 0x2000].map(|bit| usize::from(flags & bit != 0));
            assert_eq!(flags & !0xa000, 0);
            if checksum == 1 {
                let sum = etherparse::checksum::Sum16BitWords::new().add_slice(gre);
                assert_eq!(sum.ones_complement(), 0);
            }
            let inner = Judged::header(&gre[4 + 4 * (checksum + key)..]);
            assert_eq!(inner.ethertype().0.to_be_bytes(), gre[2..4]);
            inner.transport(right);
        }
        _ => outer.transport(right),
    }
}

/// A packet whose headers are right to the last bit, and which is there to the last byte.
struct Judged<'a> {
    headers: IpHeaders,
    bytes: &'a [u8],
    protocol: u8,
    payload: &'a [u8],
    fragmented: bool,
}

impl<'a> Judged<'a> {
    fn header(bytes: &'a [u8]) -> Self {
        let (headers, payload) = IpHeaders::from_slice(bytes).unwrap();
        let length = match &headers {
            IpHeaders::Ipv4(header, _) => {
                assert_eq!(header.header_checksum, header.calc_header_checksum());
                header.total_len.into()
            }
            IpHeaders::Ipv6(header, _) => 40 + usize::from(header.payload_length),
        };
        assert_eq!(length, bytes.len());
        let (protocol, fragmented) = (payload.ip_number.0, payload.fragmented);
        Self { headers, bytes, protocol, payload: payload.payload, fragmented }
    }

    fn is_v6(&self) -> bool {
        matches!(self.headers, IpHeaders::Ipv6(..))
    }

    fn ethertype(&self) -> EtherType {
        if self.is_v6() { EtherType::IPV6 } else { EtherType::IPV4 }
    }

    fn transport(&self, right: bool) {
        if !right || self.fragmented {
            return;
        }
        let packet = LaxSlicedPacket::from_ip(self.bytes).unwrap();
        let transport = packet.transport.unwrap();
        let right = match &self.headers {
            IpHeaders::Ipv4(header, _) => {
                let (source, destination) = (header.source, header.destination);
                match &transport {
                    TransportSlice::Tcp(tcp) => {
                        tcp.calc_checksum_ipv4(source, destination).unwrap() == tcp.checksum()
                    }
                    TransportSlice::Udp(udp) => {
                        let sum = udp.to_header().calc_checksum_ipv4(header, udp.payload());
                        udp.checksum() == 0 || udp.checksum() == sum.unwrap()
                    }
                    TransportSlice::Icmpv4(icmp) => {
                        icmp.checksum() == icmp.icmp_type().calc_checksum(icmp.payload())
                    }
                    other => panic!("{other:?} goes out"),
                }
            }
            IpHeaders::Ipv6(header, _) => {
                let (source, destination) = (header.source, header.destination);
                match &transport {
                    TransportSlice::Tcp(tcp) => {
                        tcp.calc_checksum_ipv6(source, destination).unwrap() == tcp.checksum()
                    }
                    TransportSlice::Udp(udp) => {
                        let sum = udp.to_header().calc_checksum_ipv6(header, udp.payload());
                        udp.checksum() == sum.unwrap()
                    }
                    TransportSlice::Icmpv6(icmp) => icmp.is_checksum_valid(source, destination),
                    other => panic!("{other:?} goes out"),
                }
            }
        };
        assert!(right, "{:02x?}", self.bytes);
    }
}
