//! RADIUS: Status-Server (RFC 5997), which is answered with Access-Accept, and on the accounting
//! port (1813) with Accounting-Response. A request is never retransmitted (section 6): the next
//! probe is the next request.

use super::{Failure, ProbeTarget};
use labsim_aaa::radius::Service;
use labsim_aaa::radius::client::{
    Options, RequestId, RequestOutcome, Retransmission, Session, run,
};
use labsim_aaa::radius::datagram::Datagrams;
use labsim_wire::protocol;
use std::io;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// A connected socket: the kernel reports a closed port as an error.
struct Connected(UdpSocket, SocketAddr);

impl Datagrams for Connected {
    async fn send_to(&mut self, bytes: &[u8], _: SocketAddr) -> io::Result<()> {
        self.0.send(bytes).await.map(drop)
    }

    async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok((self.0.recv(buffer).await?, self.1))
    }
}

pub(super) async fn ask(target: &ProbeTarget<'_>) -> Result<String, Failure> {
    let invalid = |what: String| Failure::InvalidReply(what);
    let socket = UdpSocket::bind(target.from).await?;
    target.mark(&socket)?;
    target.register(protocol::UDP, socket.local_addr()?);
    socket.connect(target.address).await?;
    let secret = target.member.monitor.secret.clone().unwrap_or_default();
    let limit = target.limit;
    let once = Retransmission { first: limit, longest: limit, attempts: 1, total: limit };
    let options = Options { retransmission: once, ..Options::new(secret) };
    let service = match target.address.port() {
        port if port == Service::Accounting.port() => Service::Accounting,
        _ => Service::Authentication,
    };
    let number = RequestId::random().map_err(|error| invalid(error.to_string()))?;
    let session = Session::status(service, target.address, number, &options);
    let mut session = session.map_err(|error| invalid(error.to_string()))?;
    match run(&mut Connected(socket, target.address), &mut session).await {
        RequestOutcome::StatusOk => Ok("the server answered Status-Server".to_owned()),
        other => Err(invalid(other.to_string())),
    }
}
