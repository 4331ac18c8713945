//! What a node's forwarder says of its members and of the packets that it dropped. It is asked over its
//! control socket, as `labsim forwarder ctl` does, so that work which is done in the lab goes on.

use super::seen::SeenForwarder;
use labsim_control::{Answer, LONGEST_LINE, Request};
use labsim_lab::Node;
use labsim_model::outcome::SocketDrop;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};
use nix::unistd::geteuid;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Its control socket's abstract name, unless it is given another one.
const NAME: &[u8] = b"labsim-forwarder";
/// How long it may take to answer.
const SOON: Duration = Duration::from_millis(500);

/// What it says; `None` if it does not run, or does not answer in time.
pub(super) async fn status(node: &Node) -> Option<SeenForwarder> {
    let asked = timeout(SOON, ask(node)).await.ok()?.ok()?;
    let Answer::Status(status) = asked else { return None };
    let members = status.health.into_iter().flat_map(|(pool, members)| {
        members.into_iter().map(move |(member, health)| {
            ((pool.clone(), member), (health.state.name().to_owned(), health.reason))
        })
    });
    let outcomes = status.counted.engine.outcomes.iter();
    let outcomes = outcomes.map(|(name, tally)| (name.clone(), tally.packets));
    let counted = &status.counted.socket;
    let socket = [
        (SocketDrop::Dropped, counted.dropped),
        (SocketDrop::Oversized, counted.oversized),
        (SocketDrop::SendErrors, counted.send_errors),
    ];
    let socket = socket.map(|(drop, count)| (drop.name().to_owned(), count));
    Some(SeenForwarder { members: members.collect(), counters: outcomes.chain(socket).collect() })
}

async fn ask(node: &Node) -> io::Result<Answer> {
    // An abstract name is looked up in the network namespace that the socket was made in.
    let connected = node.run(connect_here)??;
    let mut stream = UnixStream::from_std(connected.into())?;
    let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
    if peer.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut line = serde_json::to_vec(&Request::Status)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    line.clear();
    BufReader::new(stream.take(LONGEST_LINE)).read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}

/// Never waits: one whose queue is full does not answer.
fn connect_here() -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new_abstract(NAME)?)?;
    Ok(socket)
}
