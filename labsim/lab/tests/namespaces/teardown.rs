//! The end of a lab, waited for until the kernel has really let go.
//!
//! Closing the last descriptor of a namespace only queues it: one worker of the kernel's takes
//! everything that is queued and dismantles it as a batch, devices and all (`cleanup_net`). A
//! namespace in which the dying ones have numbers is told early in their batch that a number is
//! free (`RTM_DELNSID`, rtnetlink(7)). So: every namespace of the lab gets a number in an observer
//! namespace; when all of them are free, the lab's last batch has begun; and when a barrier
//! namespace that is closed only then is freed, that batch is over.

use labsim_lab::Lab;
use labsim_sys::netlink::{Batch, Notices, Request, Socket};
use labsim_sys::netns::Namespace;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

/// Why the end of a lab is not certain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloseError {
    /// Something still holds these namespaces: a process, a socket, or the kernel's own work.
    #[error("the kernel still holds the namespaces of {}", .nodes.join(", "))]
    StillThere {
        /// Whose they are.
        nodes: Vec<String>,
    },
    /// The observer could not observe.
    #[error("the end of the lab cannot be observed: {0}")]
    Observer(#[from] io::Error),
}

/// Drops the lab and waits until the kernel has dismantled its namespaces and devices. (The
/// observer's own namespace, which is empty, goes after that.)
///
/// # Errors
/// What was still there at the deadline.
pub(crate) fn close_and_wait(lab: Lab, deadline: Instant) -> Result<(), CloseError> {
    // A thread of its own moves between namespaces.
    let observer = std::thread::spawn(move || observe(lab, deadline));
    observer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn observe(lab: Lab, deadline: Instant) -> Result<(), CloseError> {
    let observer = Namespace::create()?;
    let watch = Notices::open(Notices::NAMESPACE_NUMBERS).map_err(io::Error::from)?;
    let mut socket = Socket::open().map_err(io::Error::from)?;
    let mut waiting = BTreeMap::new();
    let mut batch = Batch::default();
    for (number, (name, namespace)) in (0..).zip(lab.namespaces()) {
        batch.push(number_namespace(namespace, number), ());
        waiting.insert(number, name.to_owned());
    }
    let barrier_number = waiting.len().try_into().unwrap_or(i32::MAX);
    batch.send(&mut socket).map_err(|refusal| io::Error::from(refusal.errno))?;
    drop(lab);
    wait(&watch, &mut waiting, deadline)?;

    // Made from the observer, where the thread has to come back to.
    let barrier = Namespace::create()?;
    let request = number_namespace(barrier.as_fd(), barrier_number);
    socket.execute(request).map_err(|refusal| io::Error::from(refusal.errno))?;
    observer.enter()?;
    drop(barrier);
    let mut waiting = BTreeMap::from([(barrier_number, "the barrier".to_owned())]);
    wait(&watch, &mut waiting, deadline)
}

/// Gives a namespace a number in the socket's own.
fn number_namespace(namespace: BorrowedFd<'_>, number: i32) -> Request {
    let mut message = NsidMessage::default();
    let descriptor = namespace.as_raw_fd().cast_unsigned();
    message.attributes = vec![NsidAttribute::Fd(descriptor), NsidAttribute::Id(number)];
    Request::new(RouteNetlinkMessage::NewNsId(message))
}

/// Waits until every number is free.
fn wait(
    watch: &Notices,
    waiting: &mut BTreeMap<i32, String>,
    deadline: Instant,
) -> Result<(), CloseError> {
    while !waiting.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            PollTimeout::try_from(left.as_millis().min(60_000)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if Instant::now() >= deadline => {
                return Err(CloseError::StillThere { nodes: waiting.values().cloned().collect() });
            }
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        for notice in watch.receive().map_err(io::Error::from)? {
            let RouteNetlinkMessage::DelNsId(notice) = notice else { continue };
            for attribute in notice.attributes {
                if let NsidAttribute::Id(number) = attribute {
                    waiting.remove(&number);
                }
            }
        }
    }
    Ok(())
}
