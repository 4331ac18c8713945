//! Captures that other programs wrote, as frames and what is known of each.
//!
//! [`Reader`] takes a file whatever it is packed in: classic pcap in all variants, pcapng, and either
//! compressed by gzip, zstd or lz4. Every form is recognised by its content, never by a file's name. Memory does not
//! grow with the file, its frames or what a compressed file unpacks to.
//!
//! [`TextReader`] takes what tcpdump or tshark printed, as people paste it. [`open`] tells which of the two a file needs.
//!
//! Frames are decoded by [`labsim_wire`]; this crate finds out where their network layer begins, below
//! VLAN tags, Linux' cooked headers and port mirrors, and what the device that captured says of them.

#![forbid(unsafe_code)]

mod compressed;
mod datagram;
mod error;
mod f5;
mod form;
mod fragment;
mod fragments;
mod frame;
mod mirror;
mod open;
mod packet;
mod points;
mod reader;
mod session;
mod text;
mod utf16;

pub use datagram::{Datagram, Message};
pub use error::{MAX_UNPACKED, ReadError};
pub use f5::{F5Banner, F5Flow, F5Trailer};
pub use form::{Compression, Form, NoCapture};
pub use fragments::{Fragments, Whole};
pub use frame::{Frame, Point, PointId};
pub use labsim_wire::ethernet::Mac;
pub use labsim_wire::pcapng::Direction;
pub use open::{Opened, open};
pub use packet::{About, Arp, Header, Icmp, Known, Number, Packet, Port, Tcp, Transport};
pub use points::MAX_POINTS;
pub use reader::{Notices, Reader};
pub use text::{Origin, Section, TextFrame, TextNotices, TextReader, TextTime};
