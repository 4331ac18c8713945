//! Exchanges, as many at a time as the step says.

use super::nanoseconds;
use crate::datagrams::ClientSocket;
use crate::error::RunError;
use crate::exchange::{self, Ended, Gate, Socket};
use labsim_codes::run;
use labsim_lab::Lab;
use labsim_scenario::model::{Exchange, ExchangeForm, LoginResult, NodeName};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;
use tokio::task::{JoinError, JoinSet};

/// Every exchange of a step, in the order in which they began, which is round robin over the clients.
///
/// Has to be called inside a `LocalSet`.
pub(super) async fn all(lab: &Lab, step: &Exchange) -> Result<Vec<Attempt>, RunError> {
    let step = Rc::new(step.clone());
    let concurrency = usize::try_from(step.concurrency).unwrap_or(usize::MAX).max(1);
    let clients = (0..step.times).flat_map(|_| &step.from);
    let mut running = JoinSet::new();
    let mut ended = Vec::new();
    for (position, from) in clients.enumerate() {
        while running.len() >= concurrency {
            ended.extend(running.join_next().await.transpose().map_err(aborted)?);
        }
        let gate = Gate::open();
        let (opened, began) = (socket(lab, from, &step, &gate)?, Instant::now());
        let (from, step) = (from.clone(), Rc::clone(&step));
        running.spawn_local(async move {
            let ended = match opened {
                Ok(socket) => exchange::run(socket, Rc::clone(&step), position, gate).await,
                Err(ended) => ended,
            };
            (position, attempt(from, &step, ended, began))
        });
    }
    while let Some(one) = running.join_next().await {
        ended.push(one.map_err(aborted)?);
    }
    ended.sort_by_key(|(position, _)| *position);
    Ok(ended.into_iter().map(|(_, attempt)| attempt).collect())
}

/// A client's socket, or how the exchange ended without one. The gate learns the address of a socket
/// that has one.
pub(super) fn socket(
    lab: &Lab,
    from: &NodeName,
    step: &Exchange,
    gate: &Gate,
) -> Result<Result<Socket, Ended>, RunError> {
    let node = lab.node(from).ok_or_else(|| RunError::unknown_node(from))?;
    let what = "the client's socket";
    if is_tcp(step) {
        let socket =
            node.tcp_socket(step.to).map_err(RunError::from_source(run::SOCKET_FAILED, what))?;
        return Ok(Ok(Socket::Tcp(socket)));
    }
    let own = match node.source_towards(step.to) {
        Ok(own) => own,
        Err(error) => {
            let detail = format!("it could not be sent: {error}");
            return Ok(Err(Ended { result: LoginResult::Refused, detail, local: None }));
        }
    };
    let socket = node
        .udp_socket(SocketAddr::new(own, 0))
        .map_err(RunError::from_source(run::SOCKET_FAILED, what))?;
    gate.set_local(socket.local_addr().map_err(RunError::from_source(run::SOCKET_FAILED, what))?);
    let socket =
        ClientSocket::new(socket).map_err(RunError::from_source(run::SOCKET_FAILED, what))?;
    Ok(Ok(Socket::Udp(socket)))
}

const fn is_tcp(step: &Exchange) -> bool {
    match step.form {
        ExchangeForm::TacacsLogin(_) | ExchangeForm::Tcp(_) | ExchangeForm::Http(_) => true,
        ExchangeForm::Udp(_) | ExchangeForm::Dns(_) => false,
    }
}

/// What is observed of an exchange that has ended.
pub(super) fn attempt(from: NodeName, step: &Exchange, ended: Ended, began: Instant) -> Attempt {
    Attempt {
        from,
        protocol: if is_tcp(step) { protocol::TCP } else { protocol::UDP },
        result: ended.result,
        detail: ended.detail,
        local: ended.local,
        remote: step.to,
        duration_ns: nanoseconds(began),
    }
}

fn aborted(error: JoinError) -> RunError {
    RunError::inconsistent(format!("an exchange was aborted: {error}"))
}
