//! A TCP connection. It ends with RST, as HAProxy's checks do: no state is left at either end.

use super::{Failure, ProbeTarget};
use labsim_wire::protocol;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};

/// Connects; dropping the stream resets the connection.
pub(super) async fn connect(target: &ProbeTarget<'_>) -> Result<TcpStream, Failure> {
    let socket = match target.address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    target.mark(&socket)?;
    socket.set_zero_linger()?;
    socket.bind(target.from)?;
    target.register(protocol::TCP, socket.local_addr()?);
    Ok(socket.connect(target.address).await?)
}
