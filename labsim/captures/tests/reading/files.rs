//! Files of every form are read alike by an independent library; damaged ones end early or in an error.

use crate::support::{Classic, FLOW, TIME, block, ethernet, packet, pcap, read};
use labsim_captures::{Compression, Direction, Form, ReadError, Reader};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, LegacyPcapReader, PcapBlockOwned, PcapError, PcapNGReader};
use proptest::prelude::*;
use std::io::{Read as _, Write};

fn frames() -> Vec<Vec<u8>> {
    vec![ethernet(0x0800, &packet()), ethernet(0x86dd, &[0x60; 60]), ethernet(0x0806, &[1; 28])]
}

/// Time in nanoseconds, length on the wire, bytes.
type Seen = (u64, u32, Vec<u8>);

fn ours(file: &[u8]) -> Vec<Seen> {
    let seen = |frame: labsim_captures::Frame| {
        (frame.time_ns.unwrap(), frame.original_length, frame.bytes)
    };
    read(file).unwrap().into_iter().map(seen).collect()
}

/// What pcap-parser reads in a classic file.
fn theirs(file: &[u8]) -> Vec<Seen> {
    let mut reader = LegacyPcapReader::new(65_536, file).unwrap();
    let (mut unit, mut seen) = (1000, Vec::new());
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) if header.is_nanosecond_precision() => {
                        unit = 1;
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        let seconds = u64::from(packet.ts_sec) * 1_000_000_000;
                        let time = seconds + u64::from(packet.ts_usec) * unit;
                        seen.push((time, packet.origlen, packet.data.to_vec()));
                    }
                    _ => {}
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => return seen,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn classic_files_of_both_byte_orders_and_resolutions_are_read_as_a_library_reads_them() {
    for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34] {
        for big_endian in [false, true] {
            let extra: &[u8] = if magic == 0xa1b2_cd34 { &[0, 0, 0, 2, 8, 0, 4, 0] } else { &[] };
            let classic = Classic { magic, big_endian, extra, ..Classic::default() };
            let read = ours(&classic.file(&frames()));
            assert_eq!(read.len(), 3, "{classic:?}");
            // The library knows no modified files of the other byte order: it reads the same frames.
            let big_endian = big_endian && extra.is_empty();
            let theirs = theirs(&Classic { big_endian, ..classic }.file(&frames()));
            assert_eq!(read, theirs, "{classic:?}");
        }
    }
}

#[test]
fn a_modified_file_tells_device_and_direction_also_with_the_usual_magic_number() {
    let short: &[u8] = &[7, 0, 0, 0, 8, 0, 4, 0];
    let long: &[u8] = &[7, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0];
    for (magic, extra, direction) in [
        (0xa1b2_cd34, short, Direction::Out),
        (0xa1b2_cd34, long, Direction::In),
        (0xa1b2_c3d4, short, Direction::Out),
    ] {
        let classic = Classic { magic, extra, ..Classic::default() };
        let file = classic.file(&frames());
        let mut reader = Reader::new(&file[..]).unwrap();
        let first = reader.next_frame().unwrap().unwrap();
        assert_eq!(first.direction, Some(direction), "{classic:?}");
        assert_eq!(first.bytes, frames()[0]);
        assert_eq!(reader.points()[0].device, Some(7));
        assert_eq!(read(&file).unwrap().len(), 3, "{classic:?}");
    }
}

#[test]
fn other_variants_of_classic_files_are_read() {
    for classic in [
        Classic { version: (2, 2), magic: 0xa1b2_c3d4, ..Classic::default() },
        Classic { magic: 0x1c00_01ac, ..Classic::default() },
        // Nokia's: four bytes behind the lengths.
        Classic { magic: 0xa1b2_c3d4, extra: &[1, 2, 3, 4], ..Classic::default() },
        // The link type's highest bits tell of a frame check sequence.
        Classic { link: 0x4400_0001, ..Classic::default() },
    ] {
        let file = classic.file(&frames());
        let bytes: Vec<_> = read(&file).unwrap().into_iter().map(|frame| frame.bytes).collect();
        assert_eq!(bytes, frames(), "{classic:?}");
    }
}

/// An interface's description: link type, snap length, and options as they stand.
fn interface(link: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
    let mut body = link.to_le_bytes().to_vec();
    body.extend([0, 0]);
    body.extend(snap_length.to_le_bytes());
    body.extend(options);
    block(1, &body)
}

fn section() -> Vec<u8> {
    let mut body = 0x1a2b_3c4du32.to_le_bytes().to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend(u64::MAX.to_le_bytes());
    block(0x0a0d_0d0a, &body)
}

/// An enhanced packet block of a time in units of the interface.
fn enhanced(interface: u32, time: u64, bytes: &[u8], options: &[u8]) -> Vec<u8> {
    let mut body = interface.to_le_bytes().to_vec();
    body.extend(u32::try_from(time >> 32).unwrap().to_le_bytes());
    body.extend(u32::try_from(time & 0xffff_ffff).unwrap().to_le_bytes());
    let length = u32::try_from(bytes.len()).unwrap();
    body.extend(length.to_le_bytes());
    body.extend((length + 1).to_le_bytes());
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options);
    block(6, &body)
}

/// Two sections. The first has an interface in microseconds and one in 2^-20 seconds.
fn sections() -> Vec<u8> {
    let seconds = TIME / 1_000_000_000;
    [
        section(),
        interface(1, 0, &[2, 0, 4, 0, b'e', b't', b'h', b'0']),
        interface(101, 0, &[9, 0, 1, 0, 0x94, 0, 0, 0]),
        enhanced(0, TIME / 1000, &ethernet(0x0800, &packet()), &[2, 0, 4, 0, 1, 0, 0, 0]),
        enhanced(1, seconds << 20, &packet(), &[]),
        section(),
        interface(101, 0, &[2, 0, 4, 0, b't', b'u', b'n', b'0']),
        interface(1, 0, &[2, 0, 4, 0, b'e', b't', b'h', b'0']),
        enhanced(1, TIME / 1000 + 1, &ethernet(0x0800, &packet()), &[2, 0, 4, 0, 2, 0, 0, 0]),
    ]
    .concat()
}

#[test]
fn sections_and_interfaces_are_read_as_a_library_reads_them() {
    let file = sections();
    let mut reader = PcapNGReader::new(65_536, &file[..]).unwrap();
    let (mut units, mut theirs) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok((offset, block)) => {
                match block {
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => units.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(it)) => {
                        units.push(match it.if_tsresol {
                            6 => 1_000_000u128,
                            0x94 => 1 << 20,
                            other => panic!("{other}"),
                        });
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(it)) => {
                        let stamp = (u128::from(it.ts_high) << 32) | u128::from(it.ts_low);
                        let unit = units[usize::try_from(it.if_id).unwrap()];
                        let time = u64::try_from(stamp * 1_000_000_000 / unit).unwrap();
                        let length = usize::try_from(it.caplen).unwrap();
                        theirs.push((time, it.origlen, it.data[..length].to_vec()));
                    }
                    _ => {}
                }
                reader.consume(offset);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(theirs.len(), 3);
    assert_eq!(ours(&file), theirs);
}

#[test]
fn an_interface_of_one_name_is_one_point_in_all_sections() {
    let file = sections();
    let mut reader = Reader::new(&file[..]).unwrap();
    let mut seen = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        assert_eq!(frame.decode().flow().unwrap().to_string(), FLOW);
        seen.push((frame.point.0, frame.direction));
    }
    assert_eq!(seen, [(0, Some(Direction::In)), (1, None), (0, Some(Direction::Out))]);
    let names: Vec<_> = reader.points().iter().map(|point| point.name.as_deref()).collect();
    assert_eq!(names, [Some("eth0"), None]);
}

#[test]
fn old_and_simple_packets_and_an_offset_of_time_are_read() {
    let frame = ethernet(0x0800, &packet());
    let length = u32::try_from(frame.len()).unwrap();
    let mut old = vec![0, 0, 0xff, 0xff];
    for word in [0, 5, length, length] {
        old.extend(word.to_le_bytes());
    }
    old.extend(&frame);
    let mut simple = 1500u32.to_le_bytes().to_vec();
    simple.extend(&frame);
    // The snap length says how much of a simple packet is there; one hour is to be subtracted.
    let mut options = vec![14, 0, 8, 0];
    options.extend((-3600i64).to_le_bytes());
    let an_hour = 3_600_000_000u64;
    let file = [
        section(),
        interface(1, length, &options),
        enhanced(0, TIME / 1000 + an_hour, &frame, &[]),
        block(2, &old[..]),
        block(3, &simple),
    ]
    .concat();
    // The old packet is five microseconds after 1970, less an hour: no time at all.
    assert!(matches!(read(&file), Err(ReadError::Pcapng { frames: 1, .. })));
    let file = [
        section(),
        interface(1, length, &options),
        enhanced(0, TIME / 1000 + an_hour, &frame, &[]),
        section(),
        interface(1, length, &[]),
        block(2, &old),
        block(3, &simple),
    ]
    .concat();
    let seen: Vec<_> = read(&file)
        .unwrap()
        .into_iter()
        .map(|it| (it.time_ns, it.original_length, it.bytes == frame))
        .collect();
    let first = TIME / 1000 * 1000;
    assert_eq!(
        seen,
        [(Some(first), length + 1, true), (Some(5000), length, true), (None, 1500, true)]
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(bytes, level)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let blocks = lz4_flex::frame::BlockSize::Max64KB;
    let info = lz4_flex::frame::FrameInfo::new().block_size(blocks);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;
const PACKERS: [(Compression, Pack); 3] =
    [(Compression::Gzip, gzip), (Compression::Zstd, zstd), (Compression::Lz4, lz4)];

#[test]
fn compressed_files_are_told_by_content_and_may_have_several_parts() {
    let file = sections();
    for (compression, pack) in PACKERS {
        let (one, two) = file.split_at(100);
        let packed = [pack(one), pack(two)].concat();
        let reader = Reader::new(&packed[..]).unwrap();
        assert_eq!(reader.form(), Form::Pcapng);
        assert_eq!(reader.compression(), Some(compression));
        assert_eq!(ours(&packed), ours(&file), "{compression:?}");
    }
    // A part to be skipped stands first.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&file)].concat();
    assert_eq!(ours(&skipped), ours(&file));
}

#[test]
fn a_file_that_is_cut_anywhere_gives_the_frames_before() {
    for file in [pcap(1, &frames()), sections()] {
        let whole = ours(&file);
        let mut cuts = 0;
        for cut in 32..file.len() {
            let mut reader = Reader::new(&file[..cut]).unwrap();
            let mut count = 0;
            while let Some(frame) = reader.next_frame().unwrap() {
                assert_eq!(frame.bytes, whole[count].2);
                count += 1;
            }
            cuts += usize::from(reader.notices().is_cut);
        }
        assert!(cuts > file.len() / 2, "{cuts}");
    }
}

#[test]
fn a_compressed_file_that_is_cut_gives_frames_and_no_others() {
    // Incompressible, so that the frames are spread over the packed file.
    let noise = |seed: u32| -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..60_000).map(|_| next()).collect()
    };
    let file = pcap(1, &(1..12).map(noise).collect::<Vec<_>>());
    let whole = ours(&file);
    for (compression, pack) in PACKERS {
        let packed = pack(&file);
        let mut reader = Reader::new(&packed[..packed.len() / 2]).unwrap();
        let mut count = 0;
        while let Some(frame) = reader.next_frame().unwrap() {
            assert_eq!(frame.bytes, whole[count].2);
            count += 1;
        }
        assert!((1..8).contains(&count), "{compression:?}: {count}");
        assert!(reader.notices().is_cut, "{compression:?}");
        let error = Reader::new(&packed[..20]).unwrap_err();
        assert!(matches!(error, ReadError::Cut), "{compression:?}: {error}");
    }
}

#[test]
fn what_is_no_capture_is_named() {
    let zeros = [0; 1000];
    let mut tar = zeros;
    tar[0] = b'a';
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, words) in [
        (&[][..], "empty"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"PK\x03\x04....", "archive"),
        (&tar, "archive"),
        (b"\xfd7zXZ\0", "xz"),
        (b"snoop\0\0\0", "snoop"),
        (&zeros, "zero bytes"),
        (b"\x7fELF", "0x7f454c46"),
        (&gzip(b"\x89PNG\r\n\x1a\n"), "what is compressed: this is a picture"),
        (&gzip(&gzip(&sections())), "what is compressed"),
    ] {
        let error = Reader::new(bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error} for {words}");
    }
}

#[test]
fn what_follows_of_zero_bytes_is_told_and_not_read() {
    let mut input = std::io::Cursor::new(pcap(1, &frames())).chain(std::io::repeat(0));
    let mut reader = Reader::new(&mut input).unwrap();
    let mut frames = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        frames += usize::from(!frame.bytes.is_empty());
    }
    assert_eq!((frames, reader.notices().zeros_from), (3, Some(4)));
}

#[test]
fn a_record_of_four_gigabytes_is_refused_before_it_is_read() {
    let classic = Classic::default();
    let mut file = classic.file(&frames());
    for word in [0, 0, u32::MAX, u32::MAX] {
        file.extend(classic.word(word));
    }
    let error = read(&file).unwrap_err();
    assert!(matches!(error, ReadError::Pcap { frames: 3, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_files_never_panic(
        form in 0usize..5,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = match form {
            0 => pcap(1, &frames()),
            1 => sections(),
            2 => gzip(&sections()),
            3 => zstd(&pcap(1, &frames())),
            _ => lz4(&sections()),
        };
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        for frame in read(&file).unwrap_or_default() {
            let _ = frame.decode();
        }
    }
}
