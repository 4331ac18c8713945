//! Which addresses and ports packets for the VIP were translated to.

use crate::network::{Seen, ports};
use std::net::IpAddr;

/// What packets for the VIP were translated to.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The load balancer's address, if the source was translated.
    pub(crate) source: Option<IpAddr>,
    pub(crate) server: IpAddr,
    pub(crate) port: u16,
    /// Whether the VIP stayed.
    pub(crate) keeps_vip: bool,
}

pub(crate) fn translated(seen: &Seen<'_>, client: IpAddr, vip: IpAddr) -> Option<Translated> {
    let requests = seen.rows.iter().filter(|row| seen.is_request(row));
    let mut found: Option<Translated> = None;
    for row in requests {
        let header = row.packet.innermost();
        let (source, destination) = (header.source, header.destination);
        let Some((_, port)) = ports(row) else { continue };
        if (source, destination, port) == (client, vip, seen.connection.server.port()) {
            continue;
        }
        let source = (source != client).then_some(source);
        let keeps_vip = destination == vip;
        found.get_or_insert(Translated { source, server: destination, port, keeps_vip });
    }
    found
}
