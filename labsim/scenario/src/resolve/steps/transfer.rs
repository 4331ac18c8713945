//! Steps that move bytes over a TCP connection.

use super::{ServerStep, seconds};
use crate::file::RawTcpTransfer;
use crate::model::{NodeName, StepAction, TcpTransfer};
use crate::resolve::Report;
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::Located;
use std::net::IpAddr;

/// Most bytes of a direction: every capture point on the way keeps them.
const BYTES: u32 = 4 << 20;
const USUAL_BYTES: u32 = 100_000;
/// Seconds that a transfer may take.
const TIMEOUT: u64 = 10;

/// Resolves a transfer.
pub(super) fn transfer(
    fields: &RawTcpTransfer,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let from = step.lookup.node(&fields.from, report);
    let to = step.to(&fields.to, from.as_slice(), report);
    let send = bytes(fields.send, report);
    let receive = bytes(fields.receive, report);
    let timeout = seconds(fields.timeout, TIMEOUT, report);
    let written = fields.servers.as_ref().map(|servers| {
        let nodes = step.lookup.nodes(servers, report);
        nodes.into_iter().map(|node| node.value).collect::<Vec<_>>()
    });
    let (from, to) = (from?, to?);
    let servers = written.unwrap_or_else(|| holders(to.ip(), step));
    if servers.is_empty() {
        // An address that nobody has is an error already.
        let is_vip = step.servers.vips.may_hold(to.ip());
        if fields.servers.is_none() && is_vip && !report.lacks_some() {
            let message = format!(
                "no real server holds {} as its VIP; name the nodes that listen in `servers`",
                to.ip()
            );
            report.at(fields.to.span, file::MISSING_VALUE, message);
        }
        return None;
    }
    let port_at = fields.server_port.map_or(fields.to.span, |port| port.span);
    let server_port = fields.server_port.map_or(to.port(), |port| port.value);
    if server_port == 0 {
        report.at(port_at, file::OUT_OF_RANGE, "port 0 does not exist; write 1 to 65535");
    }
    let taken = |node: &NodeName| step.servers.tcp_ports.get(node)?.get(&server_port).copied();
    if let Some((node, what)) = servers.iter().find_map(|node| Some((node, taken(node)?))) {
        let node = quoted(node.as_str());
        let message = format!(
            "the {what} server of {node} listens at port {server_port}; write another port"
        );
        report.at(port_at, file::CONFLICT, message);
    }
    if servers.contains(&from) {
        let message = format!("`{from}` is the client and listens too; name another node");
        report.at(fields.from.span, file::CONFLICT, message);
    }
    let transfer = TcpTransfer { from, to, servers, server_port, send, receive, timeout };
    Some(StepAction::TcpTransfer(Box::new(transfer)))
}

/// The real servers that hold a VIP, or the node that has the address.
fn holders(address: IpAddr, step: &ServerStep<'_>) -> Vec<NodeName> {
    let servers = step.servers.real_servers.iter();
    let holding =
        servers.filter(|(_, server)| server.vips.iter().any(|vip| vip.address == address));
    let owner = step.lookup.owner(address).map(|owner| owner.node.clone());
    holding.map(|(node, _)| node.clone()).chain(owner).collect()
}

fn bytes(written: Option<Located<u32>>, report: &mut Report<'_>) -> u32 {
    let Some(written) = written else { return USUAL_BYTES };
    if written.value > BYTES {
        let message = format!("{} bytes; write 0 to {BYTES}", written.value);
        report.at(written.span, file::OUT_OF_RANGE, message);
    }
    written.value
}
