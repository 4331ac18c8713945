//! Moves bytes over one TCP connection, whose server's end is labsim's own.

use super::Began;
use crate::error::RunError;
use crate::exchange::{Gate, connect};
use labsim_codes::run;
use labsim_lab::Lab;
use labsim_scenario::model::{LoginResult, NodeName, TcpTransfer};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::rc::Rc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// Bytes that are written or read at a time.
const CHUNK: usize = 16 << 10;
/// The bytes repeat after so many, which is no divisor of a segment's usual sizes: one that is lost
/// or comes twice shows.
const PERIOD: usize = 251;

/// What one end has done up to now.
#[derive(Debug, Default)]
struct Progress {
    received: Cell<u64>,
    /// The MSS at the beginning and at the end.
    mss: Cell<(i32, i32)>,
}

/// The end of the transfer that accepted the connection.
type Served = Rc<RefCell<Option<(NodeName, Rc<Progress>)>>>;

/// Runs a transfer to its end.
///
/// Has to be called inside a `LocalSet`.
pub(super) async fn run(lab: &Lab, transfer: &TcpTransfer) -> Result<Attempt, RunError> {
    let served = Served::default();
    let mut servers = JoinSet::new();
    for name in &transfer.servers {
        let listener = listen(lab, name, transfer)?;
        let (name, transfer) = (name.clone(), transfer.clone());
        servers.spawn_local(serve(listener, name, transfer, Rc::clone(&served)));
    }
    let node = lab.node(&transfer.from).ok_or_else(|| RunError::unknown_node(&transfer.from))?;
    let socket = node
        .tcp_socket(transfer.to, None)
        .map_err(RunError::from_source(run::SOCKET_FAILED, "the client's socket"))?;
    let (began, gate) = (Began::now(), Gate::open());
    let (result, detail) = client(socket, transfer, &gate, &served, &mut servers).await;
    Ok(Attempt {
        from: transfer.from.clone(),
        protocol: protocol::TCP,
        result,
        detail,
        local: gate.local(),
        remote: transfer.to,
        began_ns: began.time_ns,
        duration_ns: began.elapsed_ns(),
    })
}

/// A socket that listens at every address of a node, of the family that is connected to.
fn listen(lab: &Lab, name: &NodeName, transfer: &TcpTransfer) -> Result<TcpListener, RunError> {
    let node = lab.node(name).ok_or_else(|| RunError::unknown_node(name))?;
    let any: IpAddr = match transfer.to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let context = format!("port {} of {name}", transfer.server_port);
    node.tcp_listener(SocketAddr::new(any, transfer.server_port))
        .and_then(TcpListener::from_std)
        .map_err(RunError::from_source(run::SOCKET_FAILED, context))
}

async fn client(
    socket: std::net::TcpStream,
    transfer: &TcpTransfer,
    gate: &Gate,
    served: &Served,
    servers: &mut JoinSet<()>,
) -> (LoginResult, String) {
    let limit = transfer.timeout;
    let deadline = tokio::time::Instant::now() + limit;
    let mut stream = match connect(socket, transfer.to, limit, deadline, gate).await {
        Ok(stream) => stream,
        Err(end) => return end,
    };
    let own = Progress::default();
    let (send, receive) = (transfer.send.into(), transfer.receive.into());
    let exchanged = timeout_at(deadline, exchange(&mut stream, send, receive, &own)).await;
    // Its end has read everything when it has closed.
    let end = async { while servers.join_next().await.is_some() && served.borrow().is_none() {} };
    let ended = match &exchanged {
        Ok(Ok(())) => timeout_at(deadline, end).await.is_ok(),
        _ => false,
    };
    let (node, far) = served.borrow_mut().take().unzip();
    let (far, server) = (far.unwrap_or_default(), node.map(|node| node.to_string()));
    let arrived = format!(
        "{} of {send} bytes arrived at the server, and {} of {receive} at the client",
        far.received.get(),
        own.received.get()
    );
    let by = server.map_or_else(String::new, |node| format!("; {node} served it"));
    let mss = format!("MSS {} to the server and {} back", shown(&own), shown(&far));
    if ended && far.received.get() == send {
        return (LoginResult::Pass, format!("{arrived}; {mss}{by}"));
    }
    // What the kernel would go on sending has no reader.
    let _ = labsim_lab::disconnect(stream.as_fd());
    match exchanged {
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            (LoginResult::Error, format!("{error}; {arrived}; {mss}{by}"))
        }
        Ok(Err(error)) => {
            (LoginResult::Refused, format!("the connection ended: {error}; {arrived}; {mss}{by}"))
        }
        Ok(Ok(())) if ended => (LoginResult::Error, format!("{arrived}; {mss}{by}")),
        _ => (LoginResult::Timeout, format!("not done after {limit:?}: {arrived}; {mss}{by}")),
    }
}

/// `1460`, or `1460 (1440 at the end)`.
fn shown(progress: &Progress) -> String {
    match progress.mss.get() {
        (0, _) => "unknown".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first} ({last} at the end)"),
    }
}

/// Serves the connections of one node, the first of which counts.
async fn serve(listener: TcpListener, node: NodeName, transfer: TcpTransfer, served: Served) {
    // Mostly a connection that failed before it was accepted: its client reports it.
    let mut stream = loop {
        if let Ok((stream, _)) = listener.accept().await {
            break stream;
        }
    };
    let progress = Rc::new(Progress::default());
    *served.borrow_mut() = Some((node, Rc::clone(&progress)));
    let (send, receive) = (transfer.receive.into(), transfer.send.into());
    // What came is in the progress; how the connection ended, its client says.
    if exchange(&mut stream, send, receive, &progress).await.is_err() {
        let _ = labsim_lab::disconnect(stream.as_fd());
    }
}

/// Sends so many bytes and receives as many as the other end sends, which have to be `receive`.
async fn exchange(
    stream: &mut TcpStream,
    send: u64,
    receive: u64,
    progress: &Progress,
) -> io::Result<()> {
    let first = mss(stream);
    progress.mss.set((first, first));
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        let pattern: Vec<u8> = (0..CHUNK + PERIOD).map(|at| (at % PERIOD) as u8).collect();
        let mut sent = 0;
        while sent < send {
            let start = (sent % PERIOD as u64) as usize;
            let length = (send - sent).min(CHUNK as u64) as usize;
            let Some(chunk) = pattern.get(start..start + length) else { break };
            sent += writer.write(chunk).await? as u64;
        }
        writer.shutdown().await
    };
    let reading = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = reader.read(&mut buffer).await?;
            let before = progress.received.get();
            if length == 0 && before == receive {
                return Ok(());
            }
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let came = buffer.get(..length).unwrap_or_default();
            let expected = (before..).map(|at| (at % PERIOD as u64) as u8);
            if let Some(place) = came.iter().zip(expected).position(|(one, other)| *one != other) {
                let at = before + place as u64;
                let message = format!("byte {at} is not the one that was sent");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            progress.received.set(before + length as u64);
        }
    };
    let done = tokio::try_join!(writing, reading);
    progress.mss.set((first, mss(stream)));
    done.map(drop)
}

/// The longest segment that the socket sends, without options (tcp(7), `TCP_MAXSEG`); 0 if it is
/// not known.
fn mss(stream: &TcpStream) -> i32 {
    labsim_lab::segment_size(stream.as_fd()).unwrap_or_default()
}
