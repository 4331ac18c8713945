//! How packets come to the server, and how many routers they pass.

use super::{Carriage, Seen, initial_ttl, is_tunnelled};
use crate::configured::Configured;
use crate::hops::Hops;
use crate::packet::tunnel_kind;
use crate::translation::Translated;
use labsim_explain::{Role, Row};

/// The hop count that is assumed.
const USUAL_HOPS: u8 = 1;

/// How packets come to the server.
pub(super) fn carriage(
    seen: &Seen<'_>,
    tunnel: Option<&Row>,
    translated: Option<&Translated>,
    assumptions: &mut Vec<String>,
) -> Result<Carriage, String> {
    if let Some(row) = tunnel {
        return match tunnel_kind(&row.packet.outermost) {
            "IPIP" => Ok(Carriage::Ipip),
            "GRE" => Ok(Carriage::Gre),
            "GUE" => Ok(Carriage::Gue),
            _ => Err("the tunnel's kind is not shown".to_owned()),
        };
    }
    if let Some(it) = translated.filter(|it| !it.keeps_vip) {
        return Ok(Carriage::Translated { source: it.source.is_some() });
    }
    let mut at_server = seen.at(Role::ServerSide).filter(|row| seen.is_request(row));
    if at_server.next().is_some() {
        return Ok(Carriage::Direct);
    }
    let (carriage, how) = seen
        .configured
        .as_ref()
        .and_then(Configured::carriage)
        .unwrap_or((Carriage::Ipip, "IPIP is assumed".to_owned()));
    assumptions.push(format!("how packets come to the server is not shown: {how}"));
    Ok(carriage)
}

/// Routers on each way, by TTLs.
pub(super) fn hops(seen: &Seen<'_>, carriage: Carriage, assumptions: &mut Vec<String>) -> Hops {
    let ttl = |role, is_request: bool, is_outer: bool, is_last: bool| {
        let rows = seen
            .at(role)
            .filter(|row| seen.is_request(row) == is_request && is_tunnelled(row) == is_outer);
        let ttl = |row: &Row| row.packet.outermost.ttl;
        let mut all: Vec<u8> =
            rows.filter(|row| !row.is_f5_out || is_outer).filter_map(ttl).collect();
        if is_last {
            all.sort_unstable();
            all.first().copied()
        } else {
            all.first().copied()
        }
    };
    let sent = ttl(Role::ClientSide, true, false, false);
    let received = ttl(Role::LoadBalancer, true, false, false);
    let is_tunnel = matches!(carriage, Carriage::Ipip | Carriage::Gre | Carriage::Gue);
    let client_to_balancer =
        received.and_then(|it| sent.unwrap_or_else(|| initial_ttl(it)).checked_sub(it));
    let leaves = ttl(Role::LoadBalancer, true, is_tunnel, true);
    let arrives = ttl(Role::ServerSide, true, is_tunnel, false);
    let balancer_to_server = leaves.zip(arrives).and_then(|(one, other)| one.checked_sub(other));
    let answered = ttl(Role::ServerSide, false, false, false);
    let came = ttl(Role::ClientSide, false, false, false);
    let has_returned = seen.at(Role::LoadBalancer).all(|row| seen.is_request(row));
    let server_to_client =
        answered.zip(came).and_then(|(one, other)| one.checked_sub(other)).filter(|_| has_returned);
    let mut assume = |shown: Option<u8>, what: &str, usual: u8| {
        shown.unwrap_or_else(|| {
            let routers = if usual == 1 { "router is" } else { "routers are" };
            assumptions.push(format!("{usual} {routers} assumed {what}: no TTLs show how many"));
            usual
        })
    };
    let first = assume(client_to_balancer, "between client and load balancer", USUAL_HOPS);
    let direct = if carriage == Carriage::Direct { 0 } else { USUAL_HOPS };
    let second = assume(balancer_to_server, "between load balancer and server", direct);
    let hops = Hops::new(first, second, server_to_client);
    if let Some(shown) = server_to_client.filter(|shown| *shown != hops.between_server_and_client())
    {
        assumptions.push(format!(
            "answers pass {shown} routers, and no tree of routers has that together with the others: the lab has {}",
            hops.between_server_and_client()
        ));
    }
    hops
}
