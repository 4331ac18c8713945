//! Entering the namespaces of other processes by descriptor (setns(2)).

use crate::one_user;
use crate::pid_namespace::follow_supervisor;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Pid, getpid, pipe, sethostname, setpgid, tcsetpgrp};
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Moves this process, which must have a single thread, into a user namespace, with every capability
/// in it (user_namespaces(7)).
///
/// # Errors
/// `EPERM` if the namespace is not the user's own; `EINVAL` with several threads.
pub fn join_user(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWUSER)?)
}

/// Has the children that this process starts from now on be in a PID namespace, which has to be a
/// descendant of this process's own.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN in the user namespace that owns it.
pub fn join_pid(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWPID)?)
}

/// This process, for setpgid(2).
const SELF: Pid = Pid::from_raw(0);

/// What a process in a lab sees.
#[derive(Debug)]
pub struct View {
    /// The node that it is in; none if its network is that of this process.
    pub node: Option<NodeView>,
    /// A file that is its `/etc/hosts`, in a mount namespace of its own.
    pub hosts: CString,
    /// Whether it is to be alone in a process group of its own, which has the terminal of standard input,
    /// if that is one. A shell with job control gives the terminal back to the group that it began in, and
    /// a group outside of the PID namespace has no number there.
    pub own_group: bool,
}

/// What a process in a node sees.
#[derive(Debug)]
pub struct NodeView {
    /// The network namespace.
    pub network: OwnedFd,
    /// Its host name, in a UTS namespace of its own.
    pub host_name: OsString,
}

/// Has the command's process have a view of its own, no blocked signals, and an end with this process's.
/// SIGTTOU has to be blocked before.
/// Where the kernel refuses a host name, an `/etc/hosts`, or a `/proc` of the process's PID namespace,
/// the process sees the host's. In a user namespace with one user alone, programs that become another one
/// go on as this one ([`one_user::pretend`]).
///
/// # Errors
/// Without free descriptors.
pub fn enter(command: &mut Command, view: View) -> io::Result<()> {
    let mut end = Some(pipe()?);
    let is_alone = one_user::is_alone();
    // SAFETY: between fork and exec the closure makes system calls only, on memory that it owns.
    unsafe {
        command.pre_exec(move || {
            if let Some((end_seen, end_shown)) = end.take() {
                drop(end_shown);
                follow_supervisor(end_seen)?;
            }
            if let Some(NodeView { network, host_name }) = &view.node {
                setns(network, CloneFlags::CLONE_NEWNET)?;
                if unshare(CloneFlags::CLONE_NEWUTS).is_ok() {
                    let _ = sethostname(host_name);
                }
            }
            let _ = own_files(&view.hosts);
            if is_alone {
                // Without it, such programs end with a message of their own.
                let _ = one_user::pretend();
            }
            if view.own_group {
                setpgid(SELF, SELF)?;
                let _ = tcsetpgrp(std::io::stdin(), getpid());
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            Ok(())
        })
    };
    Ok(())
}

/// The view's mounts. Nothing is mounted unless the mounts are this process's alone.
fn own_files(hosts: &CString) -> nix::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let _ = mount(Some(c"proc"), c"/proc", Some(c"proc"), plain, none);
    mount(Some(hosts.as_c_str()), c"/etc/hosts", none, MsFlags::MS_BIND, none)
}
