//! Transactions of nftables, and the rules of a table (linux/netfilter/nfnetlink.h, nf_tables.h).

use super::attribute::{encode, plain};
use super::listing::{Listing, list};
use super::{Answer, RECEIVE_BYTES, Refusal, emit, open, receive, send_to_kernel};
use netlink_packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkSerializable,
};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockProtocol};
use std::os::fd::{AsFd, OwnedFd};

/// `NFNL_SUBSYS_NFTABLES`, and the messages around a transaction.
const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFT_MSG_GETCHAIN`.
const GET_CHAIN: u8 = 4;
/// `NFT_MSG_GETRULE`, and the attribute of a rule that names its table.
const GET_RULE: u8 = 7;
const RULE_TABLE: u16 = 1;
/// Room for a transaction: it is one message to the socket, whose usual 200 KiB a few hundred
/// rules fill.
const SEND_BUFFER: i32 = 2 << 20;

/// A change: something that is made or deleted.
#[derive(Debug)]
pub struct Change {
    /// `NFT_MSG_NEWTABLE`, `NFT_MSG_NEWCHAIN`, ...
    pub kind: u8,
    /// The family of the table, such as `NFPROTO_NETDEV`.
    pub family: u8,
    /// What it is.
    pub attributes: Vec<DefaultNla>,
}

/// A message of a transaction: `struct nfgenmsg`, and attributes.
struct Part {
    kind: u16,
    header: [u8; 4],
    attributes: Vec<u8>,
}

impl NetlinkSerializable for Part {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.header.len() + self.attributes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(self.header.len());
        header.copy_from_slice(&self.header);
        attributes.copy_from_slice(&self.attributes);
    }
}

impl Part {
    /// The beginning or the end of a transaction.
    fn border(kind: u16) -> Self {
        let [high, low] = NFTABLES.to_be_bytes();
        Self { kind, header: [0, 0, high, low], attributes: Vec::new() }
    }

    fn of(change: &Change) -> Self {
        Self {
            kind: NFTABLES << 8 | u16::from(change.kind),
            header: [change.family, 0, 0, 0],
            attributes: encode(&change.attributes),
        }
    }
}

/// Makes all of the changes, or none of them, in the namespace of the calling thread. The socket
/// that is returned is the owner of a table that was made with `NFT_TABLE_F_OWNER` (Linux 5.12):
/// the table goes when it is closed.
///
/// # Errors
/// The first refusal, with the position of the change that it is about: `EPERM` without
/// CAP_NET_ADMIN; `EPROTONOSUPPORT` or `EOPNOTSUPP` on a kernel without nftables; `ENOENT` for an
/// expression that the kernel does not have; `EMSGSIZE` for more than a socket's buffer takes.
pub fn transact(changes: &[Change]) -> Result<OwnedFd, Refusal<usize>> {
    let socket = open(SockProtocol::NetlinkNetFilter)?;
    // Both cost only words, or room, where they are refused.
    let _ = crate::socket::set_int(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, SEND_BUFFER);
    let _ = crate::socket::set_int(socket.as_fd(), libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1);
    send_to_kernel(socket.as_fd(), &transaction(changes))?;
    // The kernel has done the whole transaction, or none of it, before it lets go of the sender,
    // and its answers wait.
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut answered = false;
    loop {
        match receive(socket.as_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(mut rest) => {
                while let Some((answer, tail)) = Answer::split(rest) {
                    rest = tail;
                    match answer.errno {
                        Some(0) => answered = true,
                        Some(errno) => {
                            let what = (answer.sequence as usize).checked_sub(1);
                            let errno = Errno::from_raw(errno);
                            return Err(Refusal { what, errno, words: answer.words });
                        }
                        None => return Err(Errno::EBADMSG.into()),
                    }
                }
            }
            Err(Errno::EAGAIN) if answered => return Ok(socket),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The first chains of all tables of the calling thread's namespace (`NFT_MSG_GETCHAIN`), each as
/// `struct nfgenmsg` and attributes.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN, `EPROTONOSUPPORT` or `EINVAL` on a kernel without nftables.
pub fn all_chains(most: usize) -> Result<Listing, Errno> {
    all_of(GET_CHAIN, most)
}

/// The first rules of all chains of the calling thread's namespace, in their order
/// (`NFT_MSG_GETRULE`), as [`all_chains`] are.
///
/// # Errors
/// As [`all_chains`].
pub fn all_rules(most: usize) -> Result<Listing, Errno> {
    all_of(GET_RULE, most)
}

fn all_of(kind: u8, most: usize) -> Result<Listing, Errno> {
    let kind = NFTABLES << 8 | u16::from(kind);
    list(
        SockProtocol::NetlinkNetFilter,
        Part { kind, header: [0; 4], attributes: Vec::new() },
        most,
    )
}

/// A change's sequence number is its position, from 1. Only the last one asks for an
/// acknowledgement: refusals are reported in any case.
fn transaction(changes: &[Change]) -> Vec<u8> {
    let mut bytes = Vec::new();
    emit(Part::border(BATCH_BEGIN), NLM_F_REQUEST, 0, &mut bytes);
    for (number, change) in (1..).zip(changes) {
        let acknowledge = if number as usize == changes.len() { NLM_F_ACK } else { 0 };
        let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | acknowledge;
        emit(Part::of(change), flags, number, &mut bytes);
    }
    emit(Part::border(BATCH_END), NLM_F_REQUEST, 0, &mut bytes);
    bytes
}

/// The rules of a table, in the namespace of the calling thread: the attributes of each, in order
/// within its chain. A table that is not there has none.
///
/// # Errors
/// `EPROTONOSUPPORT` or `EOPNOTSUPP` on a kernel without nftables, `EPERM` without CAP_NET_ADMIN.
pub fn rules(family: u8, table: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
    let question = Change { kind: GET_RULE, family, attributes: vec![plain(RULE_TABLE, table)] };
    let found = list(SockProtocol::NetlinkNetFilter, Part::of(&question), usize::MAX)?;
    // Each message begins with `struct nfgenmsg`.
    let attributes = found.messages.iter().map(|it| it.get(4..).unwrap_or_default().to_vec());
    Ok(attributes.collect())
}

#[cfg(test)]
mod tests {
    use super::{Change, transaction};
    use crate::netlink::attribute::plain;

    #[test]
    fn a_transaction_is_changes_between_its_borders() {
        let attributes = vec![plain(1, b"abc")];
        let bytes = transaction(&[Change { kind: 3, family: 5, attributes }]);
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let half = |at: usize| u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap());
        assert_eq!(bytes.len(), 20 + 28 + 20);
        assert_eq!((word(0), half(4), half(6), &bytes[16..20]), (20, 0x10, 1, &[0, 0, 0, 10][..]));
        assert_eq!((word(20), half(24), half(26)), (28, 0x0a03, 0xc05));
        assert_eq!(&bytes[36..40], [5, 0, 0, 0]);
        assert_eq!(&bytes[40..48], [7, 0, 1, 0, b'a', b'b', b'c', 0]);
        assert_eq!((word(48), half(52)), (20, 0x11));
    }
}
