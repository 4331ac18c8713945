//! Finishing what a sending kernel left to hardware. With offloads on, a veth carries frames
//! whose transport checksum is half made and frames of many segments; a packet socket shows them
//! as they are, and a server drops what is sent on like that (`TcpInCsumErrors`).
//!
//! `struct virtio_net_hdr` (linux/virtio_net.h), which `PACKET_VNET_HDR` puts before a frame,
//! tells what is left to do.

use labsim_sys::packet::VNET_HEADER;
use labsim_wire::checksum::{self, AddressPair};
use labsim_wire::ethernet::HEADER_LEN as LINK;
use labsim_wire::tcp::Flags;
use labsim_wire::{EmitError, ipv4, ipv6, protocol, tcp};

/// What is left to do to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing.
    Nothing,
    /// The sum from `start` to the end belongs at `start + offset`.
    Checksum { start: usize, offset: usize },
    /// TCP, to be cut into segments of so many payload bytes.
    TcpSegments { payload: usize },
    /// Something that is not known here.
    Unknown,
}

/// What becomes of checksums that a sender left to hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksums {
    /// They are completed.
    Complete,
    /// They stay half made: the sum of the pseudo-header alone.
    HalfMade,
}

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_ECN: u8 = 0x80;

/// Reads the header that precedes a frame.
pub(crate) fn work(header: [u8; VNET_HEADER]) -> Work {
    // In the machine's own order: PACKET_VNET_HDR is not virtio's wire format.
    let word = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    match header[1] & !GSO_ECN {
        GSO_NONE if header[0] & NEEDS_CHECKSUM == 0 => Work::Nothing,
        GSO_NONE => Work::Checksum { start: word(6), offset: word(8) },
        GSO_TCPV4 | GSO_TCPV6 if word(4) > 0 => Work::TcpSegments { payload: word(4) },
        _ => Work::Unknown,
    }
}

/// Completes a checksum in place; whether the places were inside the frame.
pub(crate) fn complete_checksum(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let Some(part) = frame.get_mut(start..).filter(|part| part.len() >= offset + 2) else {
        return false;
    };
    // The field holds the pseudo-header's sum, which belongs to the whole.
    let sum = checksum::of(part);
    // UDP's 0 says that there is none (RFC 768); TCP takes either.
    let sum = if sum == 0 { 0xffff } else { sum };
    part[offset..offset + 2].copy_from_slice(&sum.to_be_bytes());
    true
}

/// Cuts a TCP frame into segments of `payload` bytes each, as segmentation offload
/// would (Documentation/networking/segmentation-offloads.rst): IDs and sequence numbers count on,
/// FIN and PSH are on the last, CWR on the first. Each is written to `room` and handed to `each`,
/// with its checksum as `checksums` says. Returns how many there were; 0 if the frame is no such
/// frame.
pub(crate) fn segments(
    frame: &[u8],
    payload: usize,
    checksums: Checksums,
    room: &mut [u8],
    mut each: impl FnMut(&mut [u8]),
) -> usize {
    let Some((link, packet)) = frame.split_at_checked(LINK) else { return 0 };
    let Some((ip_header, bytes)) = Ip::before_tcp(packet).filter(|_| payload > 0) else { return 0 };
    let Ok(segment) = tcp::View::new(bytes) else { return 0 };
    let tcp_header = tcp::Header::parse(&segment);
    let addresses = ip_header.addresses();
    let data = segment.payload();
    let mut count = 0;
    for (index, part) in data.chunks(payload).enumerate() {
        let done = index * payload;
        let mut flags = tcp_header.flags.0;
        if done + part.len() < data.len() {
            flags &= !(Flags::FIN.0 | Flags::PSH.0);
        }
        if index > 0 {
            flags &= !Flags::CWR.0;
        }
        let tcp = tcp::Header {
            sequence: tcp_header.sequence.wrapping_add(done as u32),
            flags: Flags(flags),
            ..tcp_header
        };
        let ip = ip_header.of_segment(index, tcp.length() + part.len());
        let tcp_at = LINK + ip.length();
        let data_at = tcp_at + tcp.length();
        let Some(out) = room.get_mut(..data_at + part.len()) else { return count };
        out[..LINK].copy_from_slice(link);
        out[data_at..].copy_from_slice(part);
        let written = ip.emit(&mut out[LINK..]).is_ok() && tcp.emit(&mut out[tcp_at..]).is_ok();
        let Ok(mut view) = tcp::ViewMut::new(&mut out[tcp_at..]) else { return count };
        if !written {
            return count;
        }
        match checksums {
            Checksums::Complete => view.fill_checksum(&addresses),
            Checksums::HalfMade => view.leave_checksum(&addresses),
        }
        each(out);
        count += 1;
    }
    count
}

/// The header of a frame of many segments.
#[derive(Clone, Copy)]
enum Ip<'a> {
    V4(ipv4::Header<'a>),
    V6(ipv6::Header),
}

impl<'a> Ip<'a> {
    /// Reads the header of a whole packet whose TCP segment follows it at once: no kernel makes
    /// others so long.
    fn before_tcp(packet: &'a [u8]) -> Option<(Self, &'a [u8])> {
        if let Ok(ip) = ipv4::View::new(packet) {
            let plain = ip.protocol() == protocol::TCP && !ip.is_fragment();
            return plain.then(|| (Self::V4(ipv4::Header::parse(&ip)), ip.payload()));
        }
        let ip = ipv6::View::new(packet).ok()?;
        let plain = ip.next_header() == protocol::TCP;
        plain.then(|| (Self::V6(ipv6::Header::parse(&ip)), ip.payload()))
    }

    /// That of the segment with that index, in front of so many bytes.
    fn of_segment(self, index: usize, payload_length: usize) -> Self {
        match self {
            Self::V4(ip) => {
                let id = ip.id.wrapping_add(index as u16);
                Self::V4(ipv4::Header { id, payload_length, ..ip })
            }
            Self::V6(ip) => Self::V6(ipv6::Header { payload_length, ..ip }),
        }
    }

    const fn addresses(&self) -> AddressPair {
        match self {
            Self::V4(ip) => AddressPair::V4(ip.source, ip.destination),
            Self::V6(ip) => AddressPair::V6(ip.source, ip.destination),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::V4(ip) => ip.length(),
            Self::V6(ip) => ip.length(),
        }
    }

    fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        match self {
            Self::V4(ip) => ip.emit(out),
            Self::V6(ip) => ip.emit(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Checksums, Work, complete_checksum, segments, work};
    use labsim_wire::checksum::{AddressPair, ChecksumState};
    use labsim_wire::tcp::Flags;
    use labsim_wire::{ethernet, ipv4, ipv6, protocol, tcp};
    use std::net::Ipv4Addr;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 201);
    const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);

    /// A frame with the checksum half made, as a sending kernel leaves it.
    fn frame(data: usize, flags: Flags) -> Vec<u8> {
        let tcp = tcp::Header {
            source_port: 61067,
            destination_port: 49,
            sequence: u32::MAX - 10,
            acknowledgement: 7,
            flags,
            window: 513,
            urgent: 0,
            options: &[1, 1, 1, 1],
        };
        let ip = ipv4::Header {
            source: CLIENT,
            destination: VIP,
            protocol: protocol::TCP,
            ttl: 64,
            tos: 0,
            id: u16::MAX,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: tcp.length() + data,
        };
        let mut bytes = vec![0; 34 + ip.payload_length];
        let mac = ethernet::Mac([2, 0, 0, 0, 0, 1]);
        let link = ethernet::Header { destination: mac, source: mac, ethertype: 0x0800 };
        link.emit(&mut bytes).unwrap();
        ip.emit(&mut bytes[14..]).unwrap();
        tcp.emit(&mut bytes[34..]).unwrap();
        for (index, byte) in bytes[58..].iter_mut().enumerate() {
            *byte = index as u8;
        }
        let pair = AddressPair::V4(CLIENT, VIP);
        let half = pair.pseudo_header(protocol::TCP, ip.payload_length).folded();
        bytes[50..52].copy_from_slice(&half.to_be_bytes());
        bytes
    }

    fn state(frame: &[u8]) -> ChecksumState {
        let ip = ipv4::View::new(&frame[14..]).unwrap();
        assert!(ip.checksum_ok());
        tcp::View::new(ip.payload()).unwrap().checksum_state(&ip.addresses())
    }

    #[test]
    fn a_half_made_checksum_is_completed_for_every_length() {
        for data in 0..64 {
            let mut frame = frame(data, Flags::ACK);
            assert_eq!(state(&frame), ChecksumState::HalfMade);
            assert!(complete_checksum(&mut frame, 34, 16));
            assert_eq!(state(&frame), ChecksumState::Good);
        }
        assert!(!complete_checksum(&mut frame(0, Flags::ACK)[..51], 34, 16));
        assert!(!complete_checksum(&mut frame(0, Flags::ACK), 9000, 16));
    }

    #[test]
    fn a_frame_of_many_segments_becomes_frames_that_a_sender_could_have_sent() {
        let flags = Flags::ACK.with(Flags::PSH).with(Flags::FIN).with(Flags::CWR);
        let whole = frame(3001, flags);
        let mut room = [0; 1514];
        let mut seen: Vec<(usize, u16, u32, u8)> = Vec::new();
        let mut data = Vec::new();
        let count = segments(&whole, 1000, Checksums::Complete, &mut room, |frame| {
            assert_eq!(state(frame), ChecksumState::Good);
            let ip = ipv4::View::new(&frame[14..]).unwrap();
            let tcp = tcp::View::new(ip.payload()).unwrap();
            seen.push((frame.len(), ip.id(), tcp.sequence(), tcp.flags().0));
            data.extend_from_slice(tcp.payload());
        });
        assert_eq!(count, 4);
        let ack = Flags::ACK.0;
        let expected = [
            (1058, u16::MAX, u32::MAX - 10, ack | Flags::CWR.0),
            (1058, 0, 989, ack),
            (1058, 1, 1989, ack),
            (59, 2, 2989, ack | Flags::PSH.0 | Flags::FIN.0),
        ];
        assert_eq!(seen, expected);
        assert_eq!(data, whole[58..]);
    }

    #[test]
    fn the_checksums_of_segments_stay_half_made_where_they_are_not_to_be_completed() {
        let whole = frame(3001, Flags::ACK);
        let mut states = Vec::new();
        segments(&whole, 1000, Checksums::HalfMade, &mut [0; 1514], |segment| {
            states.push(state(segment));
        });
        assert_eq!(states, [ChecksumState::HalfMade; 4]);
    }

    #[test]
    fn segments_over_ipv6_differ_from_those_over_ipv4_in_their_ip_header_alone() {
        let whole = frame(3001, Flags::ACK.with(Flags::FIN));
        let addresses = [[0x20, 1], [0x20, 2]].map(|start| {
            let mut octets = [7; 16];
            octets[..2].copy_from_slice(&start);
            octets.into()
        });
        let mut over6 = vec![0; whole.len() + 20];
        over6[..12].copy_from_slice(&whole[..12]);
        over6[12..14].copy_from_slice(&[0x86, 0xdd]);
        let header = ipv6::Header {
            source: addresses[0],
            destination: addresses[1],
            next_header: protocol::TCP,
            hop_limit: 64,
            traffic_class: 3,
            flow_label: 0xa_bcde,
            payload_length: whole.len() - 34,
        };
        header.emit(&mut over6[14..]).unwrap();
        over6[54..].copy_from_slice(&whole[34..]);
        let (mut room, mut expected, mut seen) = ([0; 1514], Vec::new(), Vec::new());
        segments(&whole, 1000, Checksums::Complete, &mut room, |frame| {
            expected.push(frame[34..].to_vec())
        });
        let count = segments(&over6, 1000, Checksums::Complete, &mut room, |frame| {
            let ip = ipv6::View::new(&frame[14..]).unwrap();
            let payload_length = frame.len() - 54;
            assert_eq!(ipv6::Header::parse(&ip), ipv6::Header { payload_length, ..header });
            let tcp = tcp::View::new(ip.payload()).unwrap();
            assert_eq!(tcp.checksum_state(&ip.addresses()), ChecksumState::Good);
            seen.push(ip.payload().to_vec());
        });
        assert_eq!((count, seen.len()), (4, expected.len()));
        for part in expected.iter_mut().chain(&mut seen) {
            part[16..18].fill(0);
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn segments_that_do_not_fit_are_not_written() {
        let complete = Checksums::Complete;
        assert_eq!(segments(&frame(3000, Flags::ACK), 1461, complete, &mut [0; 1514], |_| ()), 0);
        assert_eq!(segments(&[0; 60], 1000, complete, &mut [0; 1514], |_| ()), 0);
    }

    #[test]
    fn the_header_of_the_kernel_is_understood() {
        let header = |flags: u8, gso: u8, size: u16, start: u16, offset: u16| {
            let mut bytes = [flags, gso, 0, 0, 0, 0, 0, 0, 0, 0];
            bytes[4..6].copy_from_slice(&size.to_ne_bytes());
            bytes[6..8].copy_from_slice(&start.to_ne_bytes());
            bytes[8..10].copy_from_slice(&offset.to_ne_bytes());
            work(bytes)
        };
        assert_eq!(header(0, 0, 0, 0, 0), Work::Nothing);
        assert_eq!(header(2, 0, 0, 0, 0), Work::Nothing);
        assert_eq!(header(1, 0, 0, 34, 16), Work::Checksum { start: 34, offset: 16 });
        assert_eq!(header(1, 1, 1448, 34, 16), Work::TcpSegments { payload: 1448 });
        assert_eq!(header(1, 4, 1428, 54, 16), Work::TcpSegments { payload: 1428 });
        assert_eq!(header(1, 0x81, 1448, 34, 16), Work::TcpSegments { payload: 1448 });
        assert_eq!(header(1, 5, 1448, 34, 6), Work::Unknown);
        assert_eq!(header(1, 1, 0, 34, 16), Work::Unknown);
    }
}
