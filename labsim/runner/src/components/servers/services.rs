//! Servers of any service: a listener or a socket for each port and address family.

use super::binding::Binding;
use super::{Tasks, listen_at, listener};
use crate::datagrams::ServerSocket;
use labsim_aaa::log::{LogEntry, LogOutcome};
use labsim_aaa::radius::datagram::{Received, ReplySocket as _};
use labsim_scenario::model::{NodeName, Service, ServiceForm, TcpForm, UdpForm};
use labsim_services::server::{Answer, answer_datagram, serve_connection};
use std::io;
use std::rc::Rc;
use tokio::net::TcpListener;

/// Longest datagram.
const LONGEST: usize = 65_535;

/// Listens at all ports, and serves each in a task of `tasks`. Connections go on when it is closed.
pub(super) fn start(
    binding: &impl Binding,
    (name, service): (&NodeName, &Service),
    write: &(impl FnMut(LogEntry) + Clone + 'static),
    tasks: &mut Tasks,
) -> io::Result<()> {
    let ports = service.ports.iter();
    let addresses = ports.flat_map(|port| listen_at(&service.addresses, binding.has_ipv6(), *port));
    match &service.form {
        ServiceForm::Tcp(form) => {
            let (form, name) = (Rc::new(form.clone()), Rc::<str>::from(name.as_str()));
            let permits = listener::permits();
            for address in addresses {
                let listener = TcpListener::from_std(binding.tcp_listener(address)?)?;
                let (form, name) = (Rc::clone(&form), Rc::clone(&name));
                let (closing, write) = (tasks.closing.subscribe(), write.clone());
                let permits = Rc::clone(&permits);
                tasks.all.spawn_local(listener::serve(
                    listener,
                    closing,
                    permits,
                    move |stream, ends| {
                        let (form, name): (Rc<TcpForm>, _) = (Rc::clone(&form), Rc::clone(&name));
                        let mut write = write.clone();
                        // A connection that broke is in the client's result.
                        async move {
                            let _ = serve_connection(stream, ends, &form, &name, &mut write).await;
                        }
                    },
                ));
            }
        }
        ServiceForm::Udp { form, packet_info } => {
            let form = Rc::new(form.clone());
            for address in addresses {
                let socket = binding.udp_socket(address)?;
                let socket = ServerSocket::new(socket, *packet_info)?;
                tasks.queues.push(socket.queue());
                let (form, packet_info) = (Rc::clone(&form), *packet_info);
                let (mut closing, mut write) = (tasks.closing.subscribe(), write.clone());
                tasks.all.spawn_local(async move {
                    tokio::select! {
                        // It ends only when the socket fails, and then its clients say so.
                        _ = datagrams(socket, &form, packet_info, &mut write) => {}
                        // Each request is answered by itself: there is no connection to keep.
                        _ = closing.changed() => {}
                    }
                });
            }
        }
    }
    Ok(())
}

/// Answers datagrams until the socket fails. A line is logged before its answer is sent.
async fn datagrams(
    mut socket: ServerSocket,
    form: &UdpForm,
    packet_info: bool,
    log: &mut impl FnMut(LogEntry),
) -> io::Error {
    let mut buffer = vec![0; LONGEST];
    loop {
        let Received { length, peer, local } = match socket.recv(&mut buffer).await {
            Ok(received) => received,
            Err(error) => return error,
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let Answer { reply, log: entry } = answer_datagram(form, bytes, (peer, local));
        log(entry.clone());
        let Some(reply) = reply else { continue };
        let from = packet_info.then_some(local.ip());
        if let Err(error) = socket.send(&reply, peer, from).await {
            let detail = format!("the reply could not be sent: {error}");
            log(LogEntry { outcome: LogOutcome::Error, detail, ..entry });
        }
    }
}
