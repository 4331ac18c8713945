//! The end of a lab, waited for until the kernel has really let go.
//!
//! Closing the last descriptor of a namespace only queues it: one worker of the kernel's takes
//! everything that is queued and dismantles it as a batch, devices and all (`cleanup_net`). A
//! namespace in which the dying ones have numbers is told early in their batch that a number is
//! free (`RTM_DELNSID`, rtnetlink(7)). So: every namespace of the lab gets a number in an observer
//! namespace; when all of them are free, the lab's last batch has begun; and when a barrier
//! namespace that is closed only then is freed, that batch is over.

use crate::enter::{Entrance, Namespace};
use crate::lab::Lab;
use crate::netlink::{Batch, Netlink, NsidWatch, Request};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

/// Why the end of a lab is not certain.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
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

impl Lab {
    /// Ends the lab and waits until the kernel has dismantled its namespaces and devices. (The
    /// observer's own namespace, which is empty, goes after that.)
    ///
    /// # Errors
    /// What was still there at the deadline.
    pub fn close_and_wait(mut self, deadline: Instant) -> Result<(), CloseError> {
        self.end_processes();
        let (namespaces, shared) = self.take_namespaces();
        drop(self);
        shared.entry().run(move |entrance| observe(entrance, namespaces, deadline))?
    }
}

fn observe(
    entrance: &mut Entrance,
    namespaces: Vec<(String, Namespace)>,
    deadline: Instant,
) -> Result<(), CloseError> {
    let observer = entrance.create()?;
    let mut watch = NsidWatch::open().map_err(io::Error::from)?;
    let mut netlink = Netlink::open().map_err(io::Error::from)?;
    let mut waiting = BTreeMap::new();
    let mut batch = Batch::default();
    for (number, (name, namespace)) in (0..).zip(&namespaces) {
        batch.push(Request::number_namespace(namespace.as_fd(), number), ());
        waiting.insert(number, name.clone());
    }
    let barrier_number = waiting.len().try_into().unwrap_or(i32::MAX);
    batch.send(&mut netlink).map_err(|refusal| io::Error::from(refusal.errno))?;
    drop(namespaces);
    wait(&mut watch, &mut waiting, deadline)?;

    // Made from the observer, where the thread has to come back to.
    let barrier = entrance.create()?;
    let mut batch = Batch::default();
    batch.push(Request::number_namespace(barrier.as_fd(), barrier_number), ());
    batch.send(&mut netlink).map_err(|refusal| io::Error::from(refusal.errno))?;
    entrance.enter(&observer)?;
    drop(barrier);
    let mut waiting = BTreeMap::from([(barrier_number, "the barrier".to_owned())]);
    wait(&mut watch, &mut waiting, deadline)
}

/// Waits until every number is free.
fn wait(
    watch: &mut NsidWatch,
    waiting: &mut BTreeMap<i32, String>,
    deadline: Instant,
) -> Result<(), CloseError> {
    while !waiting.is_empty() {
        match watch.freed(deadline) {
            Ok(numbers) => waiting.retain(|number, _| !numbers.contains(number)),
            Err(Errno::ETIMEDOUT) => {
                return Err(CloseError::StillThere { nodes: waiting.values().cloned().collect() });
            }
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
    Ok(())
}
