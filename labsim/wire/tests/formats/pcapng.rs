//! Captures are read alike by an independent library, and damaged ones end in an error.

use labsim_wire::decode::LinkType;
use labsim_wire::pcapng::{
    Block, Direction, InterfaceRecord, MAX_BLOCK, PacketRecord, ReadError, Reader, Statistics,
    Writer,
};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block as TheirBlock, OptionCode, PcapBlockOwned, PcapError, PcapNGReader};
use proptest::prelude::*;

const TIME: u64 = 1_763_860_449_162_109_123;

/// Two interfaces, three packets, two statistics.
fn sample() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "labsim 0.1.0", Some("it passed")).unwrap();
    let client = writer.interface("client:eth0", LinkType::Ethernet, 262_144).unwrap();
    let tunnel = InterfaceRecord {
        name: "rs2:tunl0",
        link: 101,
        snap_length: 262_144,
        comment: Some("its clock"),
    };
    let tunnel = writer.describe(&tunnel).unwrap();
    let mut packet = |interface, time_ns, bytes: &[u8], direction, comment| {
        let original_length = u32::try_from(bytes.len()).unwrap() + 1;
        let record =
            PacketRecord { interface, time_ns, bytes, original_length, direction, comment };
        writer.packet(&record).unwrap();
    };
    packet(client, TIME, &[1; 15], Some(Direction::Out), Some("the SYN"));
    packet(tunnel, TIME + 1, &[2; 16], Some(Direction::In), None);
    packet(client, TIME + 2, &[], None, None);
    for (interface, received, dropped) in [(client, 2, 0), (tunnel, 1, 7)] {
        let statistics = Statistics { interface, time_ns: TIME + 9, received, dropped };
        writer.statistics(&statistics).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Block>, ReadError> {
    let mut reader = Reader::new(bytes)?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block()? {
        blocks.push(block);
    }
    Ok(blocks)
}

#[test]
fn what_was_written_is_read_back() {
    let blocks = read(&sample()).unwrap();
    let interface =
        |name: &str, link| Block::Interface { name: name.to_owned(), link, snap_length: 262_144 };
    let packet =
        |interface, time_ns, bytes: &[u8], direction, comment: Option<&str>| Block::Packet {
            interface,
            time_ns,
            bytes: bytes.to_vec(),
            original_length: u32::try_from(bytes.len()).unwrap() + 1,
            direction,
            comment: comment.map(ToOwned::to_owned),
        };
    let statistics = |interface, received, dropped| Block::Statistics {
        interface,
        received: Some(received),
        dropped: Some(dropped),
    };
    assert_eq!(
        blocks,
        [
            interface("client:eth0", 1),
            interface("rs2:tunl0", 101),
            packet(0, TIME, &[1; 15], Some(Direction::Out), Some("the SYN")),
            packet(1, TIME + 1, &[2; 16], Some(Direction::In), None),
            packet(0, TIME + 2, &[], None, None),
            statistics(0, 2, 0),
            statistics(1, 1, 7),
        ]
    );
}

#[test]
fn an_independent_reader_finds_the_same() {
    let bytes = sample();
    let mut reader = PcapNGReader::new(65_536, &bytes[..]).unwrap();
    let mut seen = Vec::new();
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                if let PcapBlockOwned::NG(block) = block {
                    seen.push(tell(&block));
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(
        seen,
        [
            "section 1.0 labsim 0.1.0 comment it passed",
            "interface ETHERNET snap 262144 client:eth0 resolution 9 comment -",
            "interface RAW snap 262144 rs2:tunl0 resolution 9 comment its clock",
            &format!("packet of 0 at {TIME}: 15 of 16 flags [2, 0, 0, 0] comment the SYN"),
            &format!("packet of 1 at {}: 16 of 17 flags [1, 0, 0, 0] comment -", TIME + 1),
            &format!("packet of 0 at {}: 0 of 1 flags [] comment -", TIME + 2),
            "statistics of 0: [2, 0]",
            "statistics of 1: [1, 7]",
        ]
    );
}

/// What pcap-parser understood.
fn tell(block: &TheirBlock<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let time = |high: u32, low: u32| (u64::from(high) << 32) | u64::from(low);
    match block {
        TheirBlock::SectionHeader(section) => {
            let option = |code| {
                let option = section.options.iter().find(|option| option.code.0 == code);
                text(option.unwrap().as_bytes().unwrap())
            };
            let (application, comment) = (option(4), option(1));
            let (major, minor) = (section.major_version, section.minor_version);
            format!("section {major}.{minor} {application} comment {comment}")
        }
        TheirBlock::InterfaceDescription(interface) => {
            let name = interface.options.iter().find(|option| option.code.0 == 2).unwrap();
            let comment = interface.options.iter().find(|it| it.code == OptionCode::Comment);
            format!(
                "interface {} snap {} {} resolution {} comment {}",
                interface.linktype,
                interface.snaplen,
                text(name.as_bytes().unwrap()),
                interface.if_tsresol,
                comment.map_or("-".to_owned(), |it| text(it.as_bytes().unwrap())),
            )
        }
        TheirBlock::EnhancedPacket(packet) => {
            let option = |code| packet.options.iter().find(|option| option.code == code);
            let flags = option(OptionCode(2)).and_then(|option| option.as_bytes().ok());
            let comment = option(OptionCode::Comment).and_then(|option| option.as_bytes().ok());
            format!(
                "packet of {} at {}: {} of {} flags {:?} comment {}",
                packet.if_id,
                time(packet.ts_high, packet.ts_low),
                packet.caplen,
                packet.origlen,
                flags.unwrap_or_default(),
                comment.map_or("-".to_owned(), text)
            )
        }
        TheirBlock::InterfaceStatistics(statistics) => {
            let numbers: Vec<u64> = statistics
                .options
                .iter()
                .filter_map(|option| {
                    Some(u64::from_le_bytes(option.as_bytes().ok()?.try_into().ok()?))
                })
                .collect();
            format!("statistics of {}: {numbers:?}", statistics.if_id)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_big_endian_capture_in_microseconds_is_read() {
    let mut file = Vec::new();
    for word in [0x0a0d_0d0au32, 28, 0x1a2b_3c4d, 0x0001_0000, u32::MAX, u32::MAX, 28] {
        file.extend(word.to_be_bytes());
    }
    for word in [1u32, 20, 1 << 16, 0, 20] {
        file.extend(word.to_be_bytes());
    }
    for word in [6u32, 36, 0, 0, 1_000_001, 4, 4, 0xdead_beef, 36] {
        file.extend(word.to_be_bytes());
    }
    let blocks = read(&file).unwrap();
    assert_eq!(blocks[0], Block::Interface { name: String::new(), link: 1, snap_length: 0 });
    let Block::Packet { time_ns, bytes, .. } = &blocks[1] else { panic!("{blocks:?}") };
    assert_eq!((*time_ns, &bytes[..]), (1_000_001_000, &[0xde, 0xad, 0xbe, 0xef][..]));
}

#[test]
fn a_capture_that_ends_anywhere_within_a_block_is_refused() {
    let whole = sample();
    let ends: Vec<usize> = (1..whole.len()).filter(|cut| read(&whole[..*cut]).is_ok()).collect();
    // It may end after any of its eight blocks but the last, which ends at its whole length.
    assert_eq!(ends.len(), 7, "{ends:?}");
}

#[test]
fn a_block_above_the_bound_is_refused_before_it_is_read() {
    let mut file = sample();
    let length = MAX_BLOCK + 4;
    file.extend(6u32.to_le_bytes());
    file.extend(length.to_le_bytes());
    assert!(matches!(read(&file), Err(ReadError::BlockLength(found)) if found == length));
}

#[test]
fn a_packet_of_an_interface_without_description_is_refused() {
    let mut file = sample();
    for word in [6u32, 32, 2, 0, 0, 0, 0, 32] {
        file.extend(word.to_le_bytes());
    }
    assert!(matches!(read(&file), Err(ReadError::Interface(2))));
}

#[test]
fn a_block_whose_two_lengths_differ_is_refused() {
    let mut file = sample();
    let last = file.len() - 4;
    file[last] ^= 4;
    assert!(matches!(read(&file), Err(ReadError::LengthsDiffer { .. })));
}

#[test]
fn a_new_section_begins_without_interfaces() {
    let mut file = sample();
    file.extend(sample());
    let blocks = read(&file).unwrap();
    assert_eq!(blocks.len(), 15);
    assert_eq!(blocks[7], Block::Section);
    assert_eq!(blocks[..7], blocks[8..]);

    let mut file = sample();
    file.extend(Writer::new(Vec::new(), "", None).unwrap().finish().unwrap());
    for word in [6u32, 32, 0, 0, 0, 0, 0, 32] {
        file.extend(word.to_le_bytes());
    }
    assert!(matches!(read(&file), Err(ReadError::Interface(0))));
}

#[test]
fn a_file_of_another_format_is_refused() {
    assert!(matches!(read(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]), Err(ReadError::NoSection(_))));
    assert!(matches!(read(&[]), Err(ReadError::Cut)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_captures_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = sample();
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let _ = read(&file);
    }

    #[test]
    fn arbitrary_bytes_after_a_header_never_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut file = sample();
        file.extend(tail);
        let _ = read(&file);
    }

    #[test]
    fn every_packet_comes_back(
        frame in proptest::collection::vec(any::<u8>(), 0..300), time_ns: u64, comment: String,
    ) {
        let mut writer = Writer::new(Vec::new(), "", None).unwrap();
        let interface = writer.interface("", LinkType::Raw, 0).unwrap();
        let original_length = u32::try_from(frame.len()).unwrap();
        let record = PacketRecord {
            interface, time_ns, bytes: &frame, original_length,
            direction: None, comment: Some(&comment),
        };
        writer.packet(&record).unwrap();
        let blocks = read(&writer.finish().unwrap()).unwrap();
        let expected = Block::Packet {
            interface: 0, time_ns, bytes: frame, original_length,
            direction: None, comment: Some(comment),
        };
        prop_assert_eq!(&blocks[1], &expected);
    }
}
