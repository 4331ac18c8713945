//! ICMP errors about a connection's packets, and what they are signs of.

use super::Verdict;
use crate::explanation::icmp_error;
use crate::known::Known;
use crate::sentence::Sentence;
use labsim_captures::{About, Transport};
use labsim_codes::{Code, cause};
use std::net::IpAddr;

/// ICMP errors that a verdict names at most.
const MAX_ERRORS: usize = 4;

/// Adds the errors to a verdict that is open. What one says is nearer than what silence leaves open.
pub(super) fn add_errors(known: &Known<'_>, verdict: &mut Verdict) {
    for (sentence, possible) in errors(known) {
        verdict.because.push(sentence);
        verdict.put_first(possible);
    }
}

/// Leaves the causes of a host that refuses a tunnel's packets, if it said so: what it does behind the tunnel's end is
/// none.
pub(super) fn keep_refused(known: &Known<'_>, verdict: &mut Verdict) {
    if errors(known).iter().any(|(_, signs)| *signs == TUNNEL) {
        verdict.possible.retain(|code| TUNNEL.contains(code));
    }
}

/// Whether there are errors about what the client sent.
pub(super) fn has_errors(known: &Known<'_>) -> bool {
    !errors(known).is_empty()
}

/// ICMP errors about what the client sent, each with the causes that it is a sign of.
fn errors(known: &Known<'_>) -> Vec<(Sentence, &'static [Code])> {
    let mut texts: Vec<String> = Vec::new();
    let mut errors = Vec::new();
    for index in known.errors.iter().copied() {
        let Some(row) = known.row(index) else { continue };
        let Transport::Icmp(icmp) = &row.packet.transport else { continue };
        let Some(about) = icmp.about.filter(|about| is_about(known, about)) else { continue };
        let Some(what) = icmp_error(row) else { continue };
        let source = row.packet.innermost().source;
        let text = format!("{source} sent {what} about the client's packets");
        if texts.contains(&text) || errors.len() == MAX_ERRORS {
            continue;
        }
        texts.push(text.clone());
        let is_tunnel =
            about.outermost != about.innermost || about.innermost.1 != known.connection.server.ip();
        errors
            .push((known.sentence(text, [index]), signs(icmp.kind, icmp.code, source, is_tunnel)));
    }
    errors
}

/// Whether an error is about a request, or about what a tunnel made of it.
fn is_about(known: &Known<'_>, about: &About) -> bool {
    let (client, server) = (known.connection.client, known.connection.server);
    let is_request = about.innermost == (client.ip(), server.ip())
        && about.ports.is_none_or(|ports| ports == (client.port(), server.port()));
    let is_tunnel =
        || known.tunnels.iter().any(|it| about.innermost == (it.source, it.destination));
    is_request || is_tunnel()
}

/// Why a host refuses a tunnel's packet.
const TUNNEL: [Code; 4] = [
    cause::TUNNEL_MISSING,
    cause::TUNNEL_DOWN,
    cause::ENCAPSULATION_MISMATCH,
    cause::PROTOCOL_FILTERED,
];

fn signs(kind: Option<u8>, code: Option<u8>, source: IpAddr, is_tunnel: bool) -> &'static [Code] {
    const NARROW: [Code; 3] =
        [cause::MTU_BLACK_HOLE, cause::PMTU_ERROR_IGNORED, cause::FRAGMENTS_DROPPED];
    match (source.is_ipv4(), kind, code) {
        (true, Some(3), Some(2 | 3)) | (false, Some(1), Some(4)) | (false, Some(4), Some(1))
            if is_tunnel =>
        {
            &TUNNEL
        }
        (true, Some(3), Some(3)) | (false, Some(1), Some(4)) => {
            &[cause::NOT_LISTENING_AT_VIP, cause::PORT_DIFFERS, cause::PROTOCOL_FILTERED]
        }
        (true, Some(3), Some(4)) | (false, Some(2), _) => &NARROW,
        (true, Some(3), Some(9 | 10 | 13)) | (false, Some(1), Some(1)) => {
            &[cause::PROTOCOL_FILTERED]
        }
        (true, Some(3), Some(0 | 1)) | (false, Some(1), Some(0 | 3)) => &[
            cause::NO_ROUTE_TO_VIP,
            cause::NO_ROUTE,
            cause::NEIGHBOUR_SILENT,
            cause::LINK_DOWN,
            cause::FORWARDER_STOPPED,
        ],
        (true, Some(11), _) | (false, Some(3), _) => &[cause::ROUTING_LOOP, cause::TTL_EXPIRED],
        _ => &[],
    }
}
