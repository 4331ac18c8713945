//! The TACACS+ server: a listener of each address family.

use super::binding::Binding;
use super::{Tasks, listen_at, listener};
use labsim_aaa::log::LogEntry;
use labsim_aaa::tacacs::server::{Server, Service, serve_connection};
use labsim_scenario::model::TacacsServer;
use std::io;
use std::rc::Rc;
use tokio::net::TcpListener;

/// Listens, and serves in a task of `tasks`. When it is closed, the connections that it has go on.
pub(super) fn start(
    binding: &impl Binding,
    config: &TacacsServer,
    write: impl FnMut(LogEntry) + Clone + 'static,
    tasks: &mut Tasks,
) -> io::Result<()> {
    let secret = config.secret.clone();
    let mut server = Server::new(secret, config.clients.clone(), config.users.clone());
    server.services = config
        .services
        .iter()
        .map(|(user, granted)| {
            let granted = granted.iter().map(|(name, service)| {
                let (arguments, replace) = (service.attributes.clone(), service.replace);
                (name.clone(), Service { arguments, replace })
            });
            (user.clone(), granted.collect())
        })
        .collect();
    let server = Rc::new(server);
    let permits = listener::permits();
    for address in listen_at(&config.addresses, binding.has_ipv6(), config.port) {
        let listener = TcpListener::from_std(binding.tcp_listener(address)?)?;
        let (server, write) = (Rc::clone(&server), write.clone());
        let closing = tasks.closing.subscribe();
        let serving =
            listener::serve(listener, closing, Rc::clone(&permits), move |stream, ends| {
                let (server, mut write) = (Rc::clone(&server), write.clone());
                async move {
                    let (peer, local) = ends;
                    // An error is in the log, which is where an operator would look.
                    let _ = serve_connection(stream, peer, local, &server, &mut write).await;
                }
            });
        tasks.all.spawn_local(serving);
    }
    Ok(())
}
