//! The RADIUS server: a socket for authentication and one for accounting, of each address family.

use super::binding::Binding;
use super::{Tasks, listen_at};
use crate::datagrams::ServerSocket;
use labsim_aaa::log::LogEntry;
use labsim_aaa::radius::Service;
use labsim_aaa::radius::server::{ReplySource, Server, serve};
use labsim_scenario::model::RadiusServer;
use std::io;
use std::rc::Rc;

/// Binds the sockets, and serves each in a task of `tasks`.
pub(super) fn start(
    binding: &impl Binding,
    config: &RadiusServer,
    write: &(impl FnMut(LogEntry) + Clone + 'static),
    tasks: &mut Tasks,
) -> io::Result<()> {
    let secret = config.secret.clone();
    let mut server = Server::new(secret, config.clients.clone(), config.users.clone());
    server.require_message_authenticator = config.require_message_authenticator;
    server.message_authenticator = config.message_authenticator;
    server.reply_message.clone_from(&config.reply_message);
    let server = Rc::new(server);
    let source = match config.packet_info {
        true => ReplySource::Received,
        false => ReplySource::Kernel,
    };
    for (port, service) in [
        (config.authentication_port, Service::Authentication),
        (config.accounting_port, Service::Accounting),
    ] {
        for address in listen_at(&config.addresses, binding.has_ipv6(), port) {
            let socket = binding.udp_socket(address)?;
            let mut socket = ServerSocket::new(socket, config.packet_info)?;
            tasks.queues.push(socket.queue());
            let (server, mut write) = (Rc::clone(&server), write.clone());
            let mut closing = tasks.closing.subscribe();
            tasks.all.spawn_local(async move {
                let log = &mut write;
                tokio::select! {
                    // It ends only when the socket fails, and then its clients say so.
                    _ = serve(&mut socket, &server, service, source, log) => {}
                    // Each request is answered by itself: there is no connection to keep.
                    _ = closing.changed() => {}
                }
            });
        }
    }
    Ok(())
}
