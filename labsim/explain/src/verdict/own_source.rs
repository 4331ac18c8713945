//! Requests that come back to who sent them: a server that asks the VIP that it serves itself.

use super::Verdict;
use crate::connection;
use crate::known::Known;
use crate::story::tries;
use crate::trace::Role;
use crate::way::is_tunnelled;
use labsim_codes::cause;
use labsim_wire::pcapng::Direction;
use labsim_wire::tcp::Flags;

/// The client's SYN came back to the client, which drops packets of its own address (`accept_local` in the kernel's
/// ip-sysctl.rst).
pub(super) fn own_source(known: &Known<'_>) -> Option<Verdict> {
    let connection = known.connection;
    let syn = known.ways.requests.find(Flags::SYN)?;
    let siblings = || known.siblings.iter().filter(|it| it.client == connection.client);
    let is_answered = !connection.replies.is_empty() || siblings().any(|it| !it.replies.is_empty());
    // One SYN may be answered after the captures.
    if is_answered || known.got_answer() || tries(known, syn) < 2 {
        return None;
    }
    let client = connection.client.ip();
    let in_tunnel = known.tunnels.iter().filter(|it| it.destination == client);
    let translated = siblings().filter(|it| it.server.ip() == client);
    let returned = in_tunnel
        .flat_map(|it| &it.rows)
        .chain(translated.flat_map(|it| &it.requests))
        .copied()
        .find_map(|index| Some((own_request(known, index)?, index)));
    let (sent, came) = returned?;
    let to = known.row(came)?.packet.outermost.destination;
    let text = format!(
        "{client} asked {}, and its SYN was sent on to {to}, which is {client} itself: a host drops what comes in \
         with its own address as the source",
        connection.server
    );
    Some(Verdict::shown(cause::SOURCE_IS_OWN, Vec::new(), vec![known.sentence(text, [sent, came])]))
}

/// The row of the request as the client sent it, if the other row shows it come back to the same host.
fn own_request(known: &Known<'_>, came: usize) -> Option<usize> {
    let row = known.row(came)?;
    let host = known.host(row.point)?;
    let given = known.trace.points.get(row.point)?.given;
    let sent: Vec<usize> = known
        .connection
        .requests
        .iter()
        .copied()
        .filter(|index| {
            known.row(*index).is_some_and(|row| {
                known.host(row.point) == Some(host)
                    && !is_tunnelled(row)
                    && connection::has(row, Flags::SYN)
            })
        })
        .collect();
    let first = sent.first().copied().filter(|first| *first < came)?;
    // At a load balancer and at a router the first packet came in, and the second went out.
    let is_at = |row: usize, direction: Direction| known.is_at(row, host, direction);
    let is_own = is_at(first, Direction::Out)
        && is_at(came, Direction::In)
        && !sent.iter().any(|it| is_at(*it, Direction::In));
    let is_given = matches!(given, Some(Role::ClientSide | Role::ServerSide));
    (is_given || is_own).then_some(first)
}
