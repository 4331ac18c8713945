//! Exchanges, as many at a time as the step says.

use super::Began;
use crate::datagrams::ClientSocket;
use crate::error::RunError;
use crate::exchange::{self, Ended, Gate, Socket};
use labsim_codes::run;
use labsim_lab::{Lab, Node};
use labsim_scenario::model::{Exchange, ExchangeForm, LoginResult, NodeName};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

/// How long a port of the step's choice is waited for, and how often it is tried.
const PORT_WAIT: Duration = Duration::from_secs(2);
const PORT_POLL: Duration = Duration::from_millis(1);

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
        let (opened, began) = (socket(lab, from, &step, &gate).await?, Began::now());
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
///
/// A port of the step's choice may be held for a moment longer than the exchange that had it: by a copy
/// of its socket in a process that another lab is just starting.
pub(super) async fn socket(
    lab: &Lab,
    from: &NodeName,
    step: &Exchange,
    gate: &Gate,
) -> Result<Result<Socket, Ended>, RunError> {
    let node = lab.node(from).ok_or_else(|| RunError::unknown_node(from))?;
    let refused = |detail| Ok(Err(Ended { result: LoginResult::Refused, detail, local: None }));
    // A connection chooses its address itself.
    let own = match is_tcp(step) {
        true => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        false => node.source_towards(step.to),
    };
    let own = match own {
        Ok(own) => own,
        Err(error) => return refused(format!("it could not be sent: {error}")),
    };
    let deadline = Instant::now() + PORT_WAIT;
    loop {
        let error = match open(node, step, own, gate) {
            Ok(socket) => return Ok(Ok(socket)),
            Err(error) => error,
        };
        match step.source_port.filter(|_| error.kind() == io::ErrorKind::AddrInUse) {
            Some(_) if Instant::now() < deadline => sleep(PORT_POLL).await,
            Some(port) => return refused(format!("port {port} of the client is in use")),
            None => {
                return Err(RunError::from_source(run::SOCKET_FAILED, "the client's socket")(
                    error,
                ));
            }
        }
    }
}

fn open(node: &Node, step: &Exchange, own: IpAddr, gate: &Gate) -> io::Result<Socket> {
    if is_tcp(step) {
        return Ok(Socket::Tcp(node.tcp_socket(step.to, step.source_port)?));
    }
    let socket = node.udp_socket(SocketAddr::new(own, step.source_port.unwrap_or(0)))?;
    gate.set_local(socket.local_addr()?);
    Ok(Socket::Udp(ClientSocket::new(socket)?))
}

const fn is_tcp(step: &Exchange) -> bool {
    match step.form {
        ExchangeForm::TacacsLogin(_) | ExchangeForm::Tcp(_) | ExchangeForm::Http(_) => true,
        ExchangeForm::Udp(_) | ExchangeForm::Dns(_) | ExchangeForm::Radius(_) => false,
    }
}

/// What is observed of an exchange that has ended.
pub(super) fn attempt(from: NodeName, step: &Exchange, ended: Ended, began: Began) -> Attempt {
    Attempt {
        from,
        protocol: if is_tcp(step) { protocol::TCP } else { protocol::UDP },
        result: ended.result,
        detail: ended.detail,
        local: ended.local,
        remote: step.to,
        began_ns: began.time_ns,
        duration_ns: began.elapsed_ns(),
    }
}

fn aborted(error: JoinError) -> RunError {
    RunError::inconsistent(format!("an exchange was aborted: {error}"))
}
