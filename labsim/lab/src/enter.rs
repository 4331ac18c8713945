//! The one file that makes or enters a namespace: the rights for it, and the thread that does it.

mod identity;
mod proc_sys;
mod refusal;
mod signs;

pub use refusal::RightsError;
pub(crate) use signs::apparmor_profile;

use crate::netlink;
use identity::{Caller, Mapper};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe};
use signs::Signs;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// By which right labs are built, in words for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// By which right namespaces are made.
    pub namespaces: NamespaceRight,
    /// Whether `/proc/sys` was read-only, and is writable now for this process alone.
    pub proc_sys_reopened: bool,
}

/// By which right namespaces are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceRight {
    /// The process had the capabilities when it started.
    Root,
    /// The process is root of a user namespace that it made for itself (user_namespaces(7)).
    UserNamespace,
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.namespaces {
            NamespaceRight::Root => "root",
            NamespaceRight::UserNamespace => "user namespace",
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
/// already, everybody is who they were). A `/proc/sys` that is
/// read-only, as in a container, becomes writable for this process if it has the right for that.
///
/// Call it first thing in `main`, while the process has a single thread: the kernel lets no other
/// process make a user namespace (unshare(2)). The network namespace of the caller stays as it is.
///
/// # Errors
/// What is missing, and the remedy.
pub fn gain_rights() -> Result<Rights, RightsError> {
    // The right for it is the caller's; a user namespace has none over mounts from outside.
    let proc_sys_reopened = proc_sys::reopen();
    let gained = |namespaces| Rights { namespaces, proc_sys_reopened };
    let Err(first) = try_namespace()? else { return Ok(gained(NamespaceRight::Root)) };
    let caller = Caller::now();
    let mapper = Mapper::start().map_err(RightsError::Trial)?;
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|errno| refusal::no_user_namespace(errno, &first, &Signs::read()))?;
    caller.settle(mapper).map_err(|(file, source)| {
        refusal::no_identity_map(file, source, &first, caller.is_root(), &Signs::read())
    })?;
    match try_namespace()? {
        Ok(()) => Ok(gained(NamespaceRight::UserNamespace)),
        Err(refused) => Err(refusal::powerless_user_namespace(&refused, &Signs::read())),
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

/// Makes a network namespace, sets a link up, opens a raw socket in it and takes a port of the
/// well-known ones, as servers of a lab do. A child process does it: one that may leave its namespace need not be allowed to come back.
fn try_namespace() -> Result<Result<(), Refused>, RightsError> {
    let trial = |errno: Errno| RightsError::Trial(errno.into());
    let (mut reader, writer) = pipe().map(|(r, w)| (File::from(r), w)).map_err(trial)?;
    // SAFETY: the child only makes system calls on what it owns, writes to its pipe and leaves
    // by _exit; no other thread can hold a lock that it waits for, as callers are single-threaded.
    match unsafe { fork() }.map_err(trial)? {
        ForkResult::Child => {
            let (stage, errno) = match in_trial_namespace() {
                Ok(()) => (u8::MAX, 0),
                Err(refused) => (refused.stage as u8, refused.errno as i32),
            };
            let mut answer = [0; 5];
            answer[0] = stage;
            answer[1..].copy_from_slice(&errno.to_ne_bytes());
            let _ = File::from(writer).write_all(&answer);
            // SAFETY: ends the child at once, without running the parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(writer);
            let mut answer = [0; 5];
            let read = reader.read_exact(&mut answer);
            waitpid(child, None).map_err(trial)?;
            read.map_err(RightsError::Trial)?;
            let [stage, errno @ ..] = answer;
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
    }
}

/// Below `net.ipv4.ip_unprivileged_port_start`, which is 1024 in every new namespace (ip(7)).
const WELL_KNOWN_PORT: u16 = 49;

fn in_trial_namespace() -> Result<(), Refused> {
    let at = |stage| move |errno| Refused { stage, errno };
    unshare(CloneFlags::CLONE_NEWNET).map_err(at(Stage::Namespace))?;
    netlink::set_loopback_up().map_err(at(Stage::Configure))?;
    // The capability for packet sockets, asked for with a raw socket: closing a packet socket
    // takes the kernel a grace period, some 10 ms, and this happens in every start of labsim.
    nix::sys::socket::socket(
        AddressFamily::Inet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Raw,
    )
    .map_err(at(Stage::Capture))?;
    UdpSocket::bind((Ipv4Addr::LOCALHOST, WELL_KNOWN_PORT)).map(drop).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
        Refused { stage: Stage::Listen, errno }
    })
}

/// A network namespace, held by its file descriptor alone.
#[derive(Debug)]
pub(crate) struct Namespace(OwnedFd);

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

type Job = Box<dyn FnOnce(&mut Entrance) + Send>;

/// A handle of the thread that makes and enters namespaces; no other thread does.
///
/// It lives as long as the lab: children that it starts get their death signal when the thread
/// that started them ends (PR_SET_PDEATHSIG(2const)).
#[derive(Debug)]
pub(crate) struct Entry {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Entry {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("lab-entry".into()).spawn(move || {
            let mut entrance = Entrance { inside: None };
            for job in queue {
                job(&mut entrance);
            }
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` on the thread and returns what it returned. A panic in it goes on in the caller.
    pub(crate) fn run<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut Entrance) -> T + Send + 'a,
    ) -> io::Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Box<dyn FnOnce(&mut Entrance) + Send + 'a> = Box::new(move |entrance| {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(entrance)));
            // The caller waits for this, or is gone with the answer's receiver: both are fine.
            let _ = answer.send(outcome);
        });
        // SAFETY: only the lifetime changes. `work` is gone, run or dropped, before `answer` is
        // sent or dropped (it is consumed inside the catch, and a job that is never run is
        // dropped whole), and this function returns only after `answered` has told one of both;
        // so nothing of lifetime 'a is used after it ends.
        let job: Job = unsafe { std::mem::transmute(job) };
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
        match answered.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(mpsc::RecvError) => Err(io::Error::other("the lab's entry thread has ended")),
        }
    }

    /// Runs `work` inside `namespace`.
    pub(crate) fn run_in<'a, T: Send + 'a>(
        &self,
        namespace: &'a Namespace,
        work: impl FnOnce() -> T + Send + 'a,
    ) -> io::Result<T> {
        self.run(move |entrance| {
            entrance.enter(namespace)?;
            Ok(work())
        })?
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // Jobs catch their own panics, so there is nothing to hand on.
            let _ = thread.join();
        }
    }
}

/// What only the entry thread can do.
#[derive(Debug)]
pub(crate) struct Entrance {
    /// The descriptor of the namespace that the thread is in, if it is one of the lab's.
    inside: Option<RawFd>,
}

impl Entrance {
    /// Makes a namespace and stays in it.
    pub(crate) fn create(&mut self) -> io::Result<Namespace> {
        self.inside = None;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let namespace = Namespace(File::open("/proc/thread-self/ns/net")?.into());
        self.inside = Some(namespace.0.as_raw_fd());
        Ok(namespace)
    }

    /// Enters a namespace of this lab, unless the thread is in it.
    pub(crate) fn enter(&mut self, namespace: &Namespace) -> io::Result<()> {
        if self.inside != Some(namespace.0.as_raw_fd()) {
            self.inside = None;
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            self.inside = Some(namespace.0.as_raw_fd());
        }
        Ok(())
    }
}
