//! TACACS+ logins, as many at a time as the step says.

use super::nanoseconds;
use crate::fault::Fault;
use crate::login::{self, Gate};
use labsim_lab::Lab;
use labsim_scenario::model::{NodeName, TacacsLogin};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::rc::Rc;
use std::time::Instant;
use tokio::task::{JoinError, JoinSet};

/// Every login of a step, in the order in which they began: the clients take turns.
///
/// Has to be called inside a `LocalSet`.
pub(super) async fn all(lab: &Lab, step: &TacacsLogin) -> Result<Vec<Attempt>, Fault> {
    let step = Rc::new(step.clone());
    let at_once = usize::try_from(step.at_once).unwrap_or(usize::MAX).max(1);
    let turns = (0..step.times).flat_map(|_| &step.from);
    let mut running = JoinSet::new();
    let mut ended = Vec::new();
    for (place, from) in turns.enumerate() {
        while running.len() >= at_once {
            ended.extend(running.join_next().await.transpose().map_err(broke_off)?);
        }
        let (socket, from, step) = (socket(lab, from, &step)?, from.clone(), Rc::clone(&step));
        running.spawn_local(async move { (place, one(socket, from, step).await) });
    }
    while let Some(one) = running.join_next().await {
        ended.push(one.map_err(broke_off)?);
    }
    ended.sort_by_key(|(place, _)| *place);
    Ok(ended.into_iter().map(|(_, attempt)| attempt).collect())
}

/// A client's socket.
pub(super) fn socket(
    lab: &Lab,
    from: &NodeName,
    step: &TacacsLogin,
) -> Result<std::net::TcpStream, Fault> {
    let node = lab.node(from).ok_or_else(|| Fault::no_node(from))?;
    node.tcp_socket(step.to).map_err(Fault::broken("the client's socket"))
}

async fn one(socket: std::net::TcpStream, from: NodeName, step: Rc<TacacsLogin>) -> Attempt {
    let (began, remote) = (Instant::now(), step.to);
    let ended = login::tacacs(socket, step, Gate::open()).await;
    Attempt {
        from,
        protocol: protocol::TCP,
        result: ended.result,
        detail: ended.detail,
        local: ended.local,
        remote,
        duration_ns: nanoseconds(began),
    }
}

fn broke_off(error: JoinError) -> Fault {
    Fault::Broken(format!("a login broke off: {error}"))
}
