//! RADIUS: Status-Server (RFC 5997), which every server that has it answers with Access-Accept, and
//! on its accounting port (1813) with Accounting-Response. A question is never sent twice (section 6):
//! the next probe is the next question.

use super::{Asking, Failure};
use labsim_aaa::Secret;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::client::{Number, Options, Outcome, Retransmission, Session, run};
use labsim_aaa::radius::datagram::Datagrams;
use labsim_wire::protocol;
use std::io;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// A connected socket: its kernel tells of a port that nobody listens on.
struct Connected(UdpSocket, SocketAddr);

impl Datagrams for Connected {
    async fn send_to(&mut self, bytes: &[u8], _: SocketAddr) -> io::Result<()> {
        self.0.send(bytes).await.map(drop)
    }

    async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Ok((self.0.recv(buffer).await?, self.1))
    }
}

pub(super) async fn ask(asking: &Asking<'_>) -> Result<String, Failure> {
    let wrong = |what: String| Failure::Wrong(what);
    let socket = UdpSocket::bind(asking.from).await?;
    asking.mark(&socket)?;
    asking.note(protocol::UDP, socket.local_addr()?);
    socket.connect(asking.target).await?;
    let secret = asking.job.monitor.secret.as_ref().map_or("", |secret| secret.expose());
    let limit = asking.limit;
    let once = Retransmission { first: limit, longest: limit, attempts: 1, total: limit };
    let options = Options { retransmission: once, ..Options::new(Secret::new(secret)) };
    let service = match asking.target.port() {
        port if port == Service::Accounting.port() => Service::Accounting,
        _ => Service::Authentication,
    };
    let number = Number::random().map_err(|trouble| wrong(trouble.to_string()))?;
    let session = Session::status(service, asking.target, number, &options);
    let mut session = session.map_err(|trouble| wrong(trouble.to_string()))?;
    match run(&mut Connected(socket, asking.target), &mut session).await {
        Outcome::StatusOk => Ok("the server answered Status-Server".to_owned()),
        other => Err(wrong(other.to_string())),
    }
}
