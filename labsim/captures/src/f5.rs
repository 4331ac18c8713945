//! What F5's tcpdump writes beside the packets (`-i 0.0:nnn`): a first frame about the capture, and a
//! trailer behind each packet.
//!
//! Layouts: Wireshark's `packet-f5ethtrailer.c`, F5's article K13637.

use labsim_wire::pcapng::Direction;
use labsim_wire::{ethernet, ethernet::ethertype, ipv4, ipv6};

/// What the first frame of a capture says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct F5Banner {
    /// The command line of tcpdump.
    pub command: Option<String>,
    /// The version of TMOS.
    pub version: Option<String>,
    /// The host's name.
    pub host: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The product.
    pub product: Option<String>,
}

/// What a trailer says of its packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct F5Trailer {
    /// Received, or sent.
    pub direction: Option<Direction>,
    /// The blade's slot, from 1.
    pub slot: Option<u16>,
    /// The TMM's number.
    pub tmm: Option<u8>,
    /// The virtual server that the packet was assigned to; `None` for none.
    pub virtual_server: Option<String>,
    /// The connection, in detail levels `nn` and above.
    pub flow: Option<F5Flow>,
    /// Why TMM sent a reset.
    pub reset_cause: Option<String>,
}

/// A connection's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct F5Flow {
    /// The connection's; 0 if the packet belongs to none.
    pub id: u64,
    /// That of the other side; 0 if there is none.
    pub peer: u64,
}

/// The magic number of trailers since TMOS 15.
const DPT: u32 = 0xf5de_b0f5;
/// Trailers of one packet at most.
const MAX_TRAILERS: usize = 8;
/// Bytes of padding that may stand between packet and trailers.
const MAX_PADDING: usize = 46;

/// Reads the first frame of a capture.
pub(crate) fn banner(bytes: &[u8]) -> Option<F5Banner> {
    let rest = bytes.strip_prefix(&[0; 12])?.strip_prefix(&[0x05, 0xff])?;
    let rest = rest.strip_prefix(b"F5-Pseudo-pkt\0")?;
    let mut banner = F5Banner::default();
    for line in rest.split(|byte| *byte == 0) {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(": ") else { continue };
        let field = match name {
            "CMD" => &mut banner.command,
            "VER" => &mut banner.version,
            "HOST" => &mut banner.host,
            "PLAT" => &mut banner.platform,
            "PROD" => &mut banner.product,
            _ => continue,
        };
        *field = Some(value.to_owned());
    }
    Some(banner)
}

/// Reads the trailers of a whole frame, whose network layer begins at `network`. Trailers have to end where
/// the frame does: other bytes behind a packet are no trailer.
pub(crate) fn trailer(bytes: &[u8], network: usize, ethertype: u16) -> Option<F5Trailer> {
    let packet = bytes.get(network..)?;
    let length = match ethertype {
        ethertype::IPV4 => ipv4::View::new_truncated(packet).ok()?.total_length(),
        ethertype::IPV6 => ipv6::View::new_truncated(packet).ok()?.total_length(),
        ethertype::ARP => labsim_wire::arp::LEN,
        _ => return None,
    };
    let behind = packet.get(length..).filter(|behind| !behind.is_empty())?;
    // A frame is padded to 60 bytes before its trailer.
    let least = (ethernet::HEADER_LEN + MAX_PADDING).saturating_sub(network + length);
    (0..=least.min(behind.len())).find_map(|padding| {
        let trailers = behind.get(padding..)?;
        current(trailers).or_else(|| legacy(trailers))
    })
}

/// Trailers since TMOS 15: a header, and providers' values one after the other.
fn current(bytes: &[u8]) -> Option<F5Trailer> {
    if u32_at(bytes, 0)? != DPT || usize::from(u16_at(bytes, 4)?) != bytes.len() {
        return None;
    }
    if u16_at(bytes, 6)? != 1 {
        return None;
    }
    let mut trailer = F5Trailer::default();
    let mut rest = bytes.get(8..)?;
    for _ in 0..MAX_TRAILERS {
        if rest.is_empty() {
            break;
        }
        let (provider, kind) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
        let length = usize::from(u16_at(rest, 4)?);
        let version = u16_at(rest, 6)?;
        let value = rest.get(8..length)?;
        match (provider, kind, version) {
            (1, 1, 2 | 3) => {
                trailer.direction = Some(direction(value.first()? & 1));
                trailer.slot = Some(u16::from(*value.get(1)?) + 1);
                trailer.tmm = value.get(2).copied();
                trailer.virtual_server = text(value, 3)?;
            }
            (1, 2, 4) => {
                trailer.flow = Some(F5Flow { id: u64_at(value, 0)?, peer: u64_at(value, 8)? });
                // Flags, type, HA, slot, port, priority stand between.
                trailer.reset_cause = reset_cause(value, 16 + 8 + 1 + 1 + 2 + 2 + 1)?;
            }
            _ => {}
        }
        rest = rest.get(length..)?;
    }
    rest.is_empty().then_some(trailer)
}

/// Older trailers: each has a type, a length without these two bytes, and a version.
fn legacy(bytes: &[u8]) -> Option<F5Trailer> {
    let mut trailer = F5Trailer::default();
    let mut rest = bytes;
    let mut is_any = false;
    for _ in 0..MAX_TRAILERS {
        let (kind, length) = match *rest {
            [] => break,
            [kind @ 1..=3, length, ..] => (kind, usize::from(length) + 2),
            _ => return None,
        };
        let version = *rest.get(2)?;
        let value = rest.get(3..length)?;
        match (kind, version, length) {
            (1, 0, 35) => {
                low(&mut trailer, value, 0)?;
                trailer.flow =
                    Some(F5Flow { id: u32_at(value, 3)?.into(), peer: u32_at(value, 7)?.into() });
                trailer.virtual_server = padded(value.get(16..)?);
            }
            (1, 0, 22) => {
                low(&mut trailer, value, 1)?;
                trailer.virtual_server = padded(value.get(3..)?);
            }
            (1, 1, 7..) => {
                low(&mut trailer, value, 1)?;
                trailer.virtual_server = text(value, 3)?;
            }
            (2, 0, 21) => {
                trailer.flow =
                    Some(F5Flow { id: u32_at(value, 0)?.into(), peer: u32_at(value, 4)?.into() });
            }
            (2, 0, 29) => trailer.flow = Some(flow(value)?),
            (2, 1, 30..) => {
                trailer.flow = Some(flow(value)?);
                trailer.reset_cause = reset_cause(value, 16 + 4 + 1 + 1 + 2 + 2)?;
            }
            (2, 2, 31..) => {
                trailer.flow = Some(flow(value)?);
                trailer.reset_cause = reset_cause(value, 16 + 4 + 1 + 1 + 2 + 2 + 1)?;
            }
            (2, 3, 35..) => {
                trailer.flow = Some(flow(value)?);
                trailer.reset_cause = reset_cause(value, 16 + 8 + 1 + 1 + 2 + 2 + 1)?;
            }
            (2, 0, 8) | (3, 0, 42) => {}
            _ => return None,
        }
        is_any = true;
        rest = rest.get(length..)?;
    }
    (is_any && rest.is_empty()).then_some(trailer)
}

/// Direction, slot and TMM. Slots count from 0 except in the oldest version.
fn low(trailer: &mut F5Trailer, value: &[u8], first_slot: u16) -> Option<()> {
    let [ingress @ 0..=1, slot, tmm, ..] = *value else { return None };
    trailer.direction = Some(direction(ingress));
    trailer.slot = Some(u16::from(slot) + first_slot);
    trailer.tmm = Some(tmm);
    Some(())
}

fn direction(ingress: u8) -> Direction {
    if ingress == 1 { Direction::In } else { Direction::Out }
}

fn flow(value: &[u8]) -> Option<F5Flow> {
    Some(F5Flow { id: u64_at(value, 0)?, peer: u64_at(value, 8)? })
}

/// A text behind a byte with its length.
fn text(value: &[u8], at: usize) -> Option<Option<String>> {
    let length = usize::from(*value.get(at)?);
    Some(padded(value.get(at + 1..at + 1 + length)?))
}

/// A text that may end early with a zero byte.
fn padded(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}

/// Why TMM sent a reset, behind its length: version and side, file, line, text.
fn reset_cause(value: &[u8], at: usize) -> Option<Option<String>> {
    let length = usize::from(*value.get(at)?);
    let cause = value.get(at + 1..at + 1 + length)?;
    Some(cause.get(9..).and_then(padded))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
