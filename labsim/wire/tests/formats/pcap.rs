//! Classic captures are read by an independent library.

use labsim_wire::decode::LinkType;
use labsim_wire::pcap::Writer;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, Linktype, PcapBlockOwned, PcapError};
use std::io::ErrorKind;

const TIME: u64 = 1_763_860_449_162_109_123;

/// Time, length and bytes.
type Packet = (u64, u32, Vec<u8>);

/// Link type, whether times are nanoseconds, and each packet.
fn read(file: &[u8]) -> (Linktype, bool, Vec<Packet>) {
    let mut reader = LegacyPcapReader::new(65_536, file).unwrap();
    let (mut link, mut is_nanoseconds, mut packets) = (Linktype(-1), false, Vec::new());
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        (link, is_nanoseconds) = (header.network, header.is_nanosecond_precision());
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let seconds = u64::from(packet.ts_sec) * 1_000_000_000;
                        let time_ns = seconds + u64::from(packet.ts_usec);
                        packets.push((time_ns, packet.origlen, packet.data.to_vec()));
                    }
                    PcapBlockOwned::NG(_) => panic!("a block of another format"),
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return (link, is_nanoseconds, packets),
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn times_lengths_and_bytes_are_read_as_they_were_written() {
    for (link, number) in [(LinkType::Ethernet, 1), (LinkType::Raw, 101)] {
        let mut writer = Writer::new(Vec::new(), link, 262_144).unwrap();
        writer.packet(TIME, 15, &[1; 15]).unwrap();
        writer.packet(TIME + 1, 1500, &[2; 60]).unwrap();
        writer.packet(TIME + 2, 0, &[]).unwrap();
        let (link, is_nanoseconds, packets) = read(&writer.finish().unwrap());
        assert_eq!((link.0, is_nanoseconds), (number, true));
        let expected =
            [(TIME, 15, vec![1; 15]), (TIME + 1, 1500, vec![2; 60]), (TIME + 2, 0, Vec::new())];
        assert_eq!(packets, expected);
    }
}

#[test]
fn a_time_that_the_format_cannot_hold_is_an_error() {
    let mut writer = Writer::new(Vec::new(), LinkType::Raw, 262_144).unwrap();
    let error = writer.packet(u64::MAX, 1, &[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
