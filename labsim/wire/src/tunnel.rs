//! What stands between the IP headers of a tunnel packet.

use crate::ethernet::ethertype;
use crate::{gre, gue, protocol, udp};
use std::fmt;

/// The header of a tunnel, where there is one: IP in IP has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// GRE (RFC 2784, RFC 2890).
    Gre(gre::Header),
    /// UDP, and GUE (draft-ietf-intarea-gue).
    Gue {
        /// UDP's source port.
        source_port: u16,
        /// UDP's destination port.
        destination_port: u16,
        /// Whether UDP's checksum is there.
        checksum: bool,
        /// What follows UDP.
        header: gue::Header,
    },
}

impl Header {
    /// Divides what an IP header carries into a tunnel's header and the IP packet inside; `None` if
    /// it is not a tunnel packet. `payload` may be truncated, and is not a fragment.
    #[must_use]
    pub fn split(protocol: u8, payload: &[u8]) -> Option<(Option<Self>, &[u8])> {
        match protocol {
            protocol::IPIP | protocol::IPV6 => Some((None, payload)),
            protocol::GRE => {
                let view = gre::View::new(payload).ok()?;
                matches!(view.protocol(), ethertype::IPV4 | ethertype::IPV6)
                    .then(|| (Some(Self::Gre(gre::Header::parse(&view))), view.payload()))
            }
            protocol::UDP => {
                let datagram = udp::View::new_truncated(payload).ok()?;
                let view = gue::View::recognise(&datagram)?;
                let header = Self::Gue {
                    source_port: datagram.source_port(),
                    destination_port: datagram.destination_port(),
                    checksum: datagram.checksum() != 0,
                    header: view.header,
                };
                Some((Some(header), view.payload()))
            }
            _ => None,
        }
    }

    /// GRE's key.
    #[must_use]
    pub const fn key(&self) -> Option<u32> {
        match self {
            Self::Gre(gre) => gre.key,
            Self::Gue { .. } => None,
        }
    }

    /// Its fields by name, for comparing packets.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Gre(gre) => vec![
                ("gre protocol", format!("{:#06x}", gre.protocol)),
                ("gre key", gre.key.map_or_else(|| "none".to_owned(), |key| key.to_string())),
                ("gre checksum", gre.checksum.to_string()),
                ("gre sequence", gre.sequence.is_some().to_string()),
            ],
            // The source port is the flow's, which differs between runs as a client's port does.
            Self::Gue { destination_port, checksum, header, .. } => vec![
                ("gue destination port", destination_port.to_string()),
                ("gue udp checksum", checksum.to_string()),
                ("gue variant", header.variant.to_string()),
            ],
        }
    }
}

/// What distinguishes tunnels of the protocol: `key 7`, `50000 > 6080 GUE`, or nothing.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gre(gre::Header { key: Some(key), .. }) => write!(f, " key {key}"),
            Self::Gre(_) => Ok(()),
            Self::Gue { source_port, destination_port, .. } => {
                write!(f, " {source_port} > {destination_port} GUE")
            }
        }
    }
}
