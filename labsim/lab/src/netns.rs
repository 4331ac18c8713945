//! The privileges for network namespaces, and the thread that creates and enters them.

mod host_policy;
mod identity;
mod proc_sys;
mod refusal;

pub(crate) use host_policy::apparmor_profile;
pub use refusal::PrivilegeError;

use host_policy::HostPolicy;
use identity::{Caller, mapper};
use labsim_sys::netlink::set_loopback_up;
use labsim_sys::netns::Namespace;
use labsim_sys::worker::Worker;
use labsim_sys::{Errno, fork, socket};
use nix::sched::{CloneFlags, unshare};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use tracing::{debug, info};

/// What allows this process to build labs; its text is for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    /// What allows it.
    pub source: PrivilegeSource,
    /// Whether `/proc/sys` was read-only, and is writable now for this process alone.
    pub proc_sys_reopened: bool,
}

/// What allows this process to create network namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivilegeSource {
    /// The process had the capabilities when it started.
    Root,
    /// The process is root of a user namespace that it made for itself (user_namespaces(7)).
    UserNamespace,
}

impl fmt::Display for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.source {
            PrivilegeSource::Root => "root",
            PrivilegeSource::UserNamespace => "user namespace",
        })?;
        match self.proc_sys_reopened {
            true => f.write_str(", /proc/sys made writable in a mount namespace of labsim's own"),
            false => Ok(()),
        }
    }
}

/// Makes sure that this process can make network namespaces, configure them and capture in them:
/// by trying, never by looking at the uid. Where it cannot, it moves into a user namespace of its
/// own, in which the caller's user and group are root's, and tries again (for a caller that is root
/// already, all users and groups keep their numbers). A `/proc/sys` that is
/// read-only, as in a container, becomes writable for this process if it has the right for that.
///
/// Call it first thing in `main`, while the process has a single thread: the kernel lets no other
/// process make a user namespace (unshare(2)). The network namespace of the caller stays as it is.
///
/// # Errors
/// What is missing, and the remedy.
pub fn acquire_privileges() -> Result<Privileges, PrivilegeError> {
    // It takes the caller's privileges: a user namespace has none over mounts from outside.
    let proc_sys_reopened = proc_sys::reopen();
    let acquired = |source| Privileges { source, proc_sys_reopened };
    let Err(first) = try_namespace()? else { return Ok(acquired(PrivilegeSource::Root)) };
    info!(
        refused = %first.errno,
        "network namespaces are not permitted; moving into a user namespace"
    );
    let caller = Caller::current();
    let mapper = mapper().map_err(PrivilegeError::Trial)?;
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| refusal::no_user_namespace(errno, &first, &HostPolicy::read()))?;
    caller.map_ids(mapper).map_err(|(file, source)| {
        refusal::no_identity_map(file, source, &first, caller.is_root(), &HostPolicy::read())
    })?;
    match try_namespace()? {
        Ok(()) => Ok(acquired(PrivilegeSource::UserNamespace)),
        Err(refused) => Err(refusal::powerless_user_namespace(&refused, &HostPolicy::read())),
    }
}

/// What a trial namespace refused.
#[derive(Debug, Clone, Copy)]
struct Refused {
    stage: Stage,
    errno: Errno,
}

/// How far the trial went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Namespace,
    Configure,
    Capture,
    Listen,
}

/// Creates a network namespace, sets a link up, opens a raw socket in it and binds a well-known
/// port, as servers of a lab do. A child process does it: one that may leave its namespace need not
/// be allowed to come back.
fn try_namespace() -> Result<Result<(), Refused>, PrivilegeError> {
    let answer = fork::run_in_child(|| {
        let (stage, errno) = match in_trial_namespace() {
            Ok(()) => (u8::MAX, 0),
            Err(refused) => (refused.stage as u8, refused.errno as i32),
        };
        let mut answer = [0; 5];
        answer[0] = stage;
        answer[1..].copy_from_slice(&errno.to_ne_bytes());
        answer
    });
    let [stage, errno @ ..] = answer.map_err(PrivilegeError::Trial)?;
    let errno = Errno::from_raw(i32::from_ne_bytes(errno));
    let stage = match stage {
        0 => Stage::Namespace,
        1 => Stage::Configure,
        2 => Stage::Capture,
        3 => Stage::Listen,
        _ => return Ok(Ok(())),
    };
    Ok(Err(Refused { stage, errno }))
}

/// Below `net.ipv4.ip_unprivileged_port_start`, which is 1024 in every new namespace (ip(7)).
const WELL_KNOWN_PORT: u16 = 49;

fn in_trial_namespace() -> Result<(), Refused> {
    let at = |stage| move |errno| Refused { stage, errno };
    let failed = |stage| {
        move |error: io::Error| {
            let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
            Refused { stage, errno }
        }
    };
    unshare(CloneFlags::CLONE_NEWNET).map_err(at(Stage::Namespace))?;
    set_loopback_up().map_err(at(Stage::Configure))?;
    // The capability for packet sockets, asked for with a raw socket: closing a packet socket
    // takes the kernel a grace period, some 10 ms, and this happens in every start of labsim.
    socket::raw(true, socket::PROTOCOL_RAW).map(drop).map_err(failed(Stage::Capture))?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, WELL_KNOWN_PORT)).map(drop).map_err(failed(Stage::Listen))
}

/// The thread that creates and enters network namespaces; no other thread does.
///
/// It lives as long as the lab: children that it starts get their death signal when the thread
/// that started them ends (PR_SET_PDEATHSIG(2const)).
#[derive(Debug)]
pub(crate) struct NetnsWorker(Worker<WorkerContext>);

impl NetnsWorker {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        Worker::start("lab-netns", WorkerContext { current: None }).map(Self)
    }

    /// Runs `work` on the thread and returns what it returned. A panic in it goes on in the caller.
    pub(crate) fn run<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut WorkerContext) -> T + Send + 'a,
    ) -> io::Result<T> {
        self.0.run(work)
    }

    /// Runs `work` inside `namespace`.
    pub(crate) fn run_in<'a, T: Send + 'a>(
        &self,
        namespace: &'a Namespace,
        work: impl FnOnce() -> T + Send + 'a,
    ) -> io::Result<T> {
        self.run(move |context| {
            context.enter(namespace)?;
            Ok(work())
        })?
    }
}

/// What only the worker thread can do.
#[derive(Debug)]
pub(crate) struct WorkerContext {
    /// The descriptor of the namespace that the thread is in, if it is one of the lab's.
    current: Option<RawFd>,
}

impl WorkerContext {
    /// Creates a namespace and stays in it.
    pub(crate) fn create(&mut self) -> io::Result<Namespace> {
        self.current = None;
        let namespace = Namespace::create()?;
        let descriptor = namespace.as_fd().as_raw_fd();
        debug!(descriptor, "network namespace created");
        self.current = Some(descriptor);
        Ok(namespace)
    }

    /// Enters a namespace of this lab, unless the thread is in it.
    pub(crate) fn enter(&mut self, namespace: &Namespace) -> io::Result<()> {
        let descriptor = namespace.as_fd().as_raw_fd();
        if self.current != Some(descriptor) {
            self.current = None;
            namespace.enter()?;
            debug!(descriptor, "network namespace entered");
            self.current = Some(descriptor);
        }
        Ok(())
    }
}
