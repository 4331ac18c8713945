//! A TCP connection. It ends with RST, as HAProxy's checks do: no state of it stays at either end.

use super::{Asking, Failure};
use labsim_wire::protocol;
use std::net::SocketAddr;
use tokio::net::{TcpSocket, TcpStream};

/// Connects; dropping the stream resets the connection.
pub(super) async fn connect(asking: &Asking<'_>) -> Result<TcpStream, Failure> {
    let socket = match asking.target {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    asking.mark(&socket)?;
    socket.set_zero_linger()?;
    socket.bind(asking.from)?;
    asking.note(protocol::TCP, socket.local_addr()?);
    Ok(socket.connect(asking.target).await?)
}
