//! Extension headers (RFC 8200, 4), one by one, and what follows them.

use crate::bytes::{be16, be32};
use crate::error::enough;
use crate::{Layer, Malformed, protocol};

/// Extension headers that are walked at most; a real packet has two or three.
pub const MAX_EXTENSIONS: usize = 8;

/// The kinds of extension headers: values of a next header field.
pub mod extension {
    /// Options for every node on the way; only right after the fixed header.
    pub const HOP_BY_HOP: u8 = 0;
    /// Nodes that are to be visited.
    pub const ROUTING: u8 = 43;
    /// The place of a fragment.
    pub const FRAGMENT: u8 = 44;
    /// RFC 4302.
    pub const AUTHENTICATION: u8 = 51;
    /// Options for the destination.
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// RFC 6275.
    pub const MOBILITY: u8 = 135;
    /// RFC 7401.
    pub const HIP: u8 = 139;
    /// RFC 5533.
    pub const SHIM6: u8 = 140;
}

/// One extension header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// See [`mod@extension`].
    pub kind: u8,
    /// All of it.
    pub bytes: &'a [u8],
}

/// What follows the extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport<'a> {
    /// The protocol number; see [`crate::protocol`].
    pub protocol: u8,
    /// Its bytes; of a later fragment, the fragment's.
    pub bytes: &'a [u8],
    /// Of the fragment header, if there is one.
    pub fragment: Option<Fragment>,
}

/// A fragment header (RFC 8200, 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Where the fragment belongs, in bytes.
    pub offset: u16,
    /// Whether more follow.
    pub more: bool,
    /// What the fragments of one packet share.
    pub id: u32,
    /// Bytes that follow the header, as far as they are there.
    pub length: usize,
}

/// Goes over the extension headers; ends with the transport or with the first that is malformed.
#[derive(Debug, Clone, Copy)]
pub struct Extensions<'a> {
    next: u8,
    rest: &'a [u8],
    walked: usize,
    fragment: Option<Fragment>,
    over: bool,
}

impl<'a> Extensions<'a> {
    #[inline]
    pub(super) fn new(next: u8, rest: &'a [u8]) -> Self {
        Self { next, rest, walked: 0, fragment: None, over: false }
    }

    /// What follows the headers that the walk has been over.
    #[inline]
    #[must_use]
    pub fn transport(&self) -> Transport<'a> {
        Transport { protocol: self.next, bytes: self.rest, fragment: self.fragment }
    }

    /// The length of the header that comes next, by its own word, if it is an extension header.
    #[inline]
    fn length(&self) -> Option<Result<usize, Malformed>> {
        use extension::{
            AUTHENTICATION, DESTINATION_OPTIONS, FRAGMENT, HIP, HOP_BY_HOP, MOBILITY, ROUTING,
            SHIM6,
        };
        // Nearly all packets end here.
        if matches!(self.next, protocol::TCP | protocol::UDP) {
            return None;
        }
        let word = || enough(Layer::Ipv6, self.rest, 2).map(|()| usize::from(self.rest[1]));
        Some(match self.next {
            FRAGMENT => Ok(8),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                word().map(|words| (words + 1) * 8)
            }
            AUTHENTICATION => word().map(|words| (words + 2) * 4),
            _ => return None,
        })
    }

    #[inline]
    fn step(&mut self, length: usize) -> Result<Extension<'a>, Malformed> {
        let layer = Layer::Ipv6;
        if self.walked == MAX_EXTENSIONS {
            return Err(Malformed::TooDeep { layer, most: MAX_EXTENSIONS });
        }
        enough(layer, self.rest, length)?;
        let (bytes, rest) = self.rest.split_at(length);
        let header = Extension { kind: self.next, bytes };
        if header.kind == extension::FRAGMENT {
            let place = be16(bytes, 2);
            let (offset, more) = (place & !7, place & 1 != 0);
            let fragment = Fragment { offset, more, id: be32(bytes, 4), length: rest.len() };
            self.fragment = Some(fragment);
            // What follows is the middle of the packet, whatever it looks like.
            self.over = offset != 0;
        }
        (self.next, self.rest) = (bytes[0], rest);
        self.walked += 1;
        Ok(header)
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let header = self.length()?.and_then(|length| self.step(length));
        self.over |= header.is_err();
        Some(header)
    }
}
