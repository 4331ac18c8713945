//! Network namespaces that are held by their descriptors only.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Gives this process the right to make network namespaces: as it is, or in a user namespace of
/// its own. The process has one thread.
pub fn acquire_privileges() -> io::Result<&'static str> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok("those of the user");
    }
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok("those of a user namespace")
}

#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    pub fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self(made.join().unwrap())
    }

    /// Runs `work` on a thread in this namespace.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// One of the kernel's counters, such as `Tcp` `OutRsts`.
    pub fn counter(&self, layer: &str, name: &str) -> u64 {
        let text = self.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp")).unwrap();
        let layer = format!("{layer}: ");
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(&layer));
        let mut names = lines.next().unwrap().split(' ');
        let values = lines.next().unwrap();
        let place = names.position(|candidate| candidate == name).unwrap();
        values.split(' ').nth(place).unwrap().parse().unwrap()
    }

    /// Whether the kernel still knows a TCP connection of a local port (proc_pid_net(5)).
    pub fn has_connection_from(&self, port: u16) -> bool {
        let text = self.run(|| std::fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
        let own = format!(":{port:04X}");
        let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
        text.lines().skip(1).filter_map(local).any(|local| local.ends_with(&own))
    }

    /// Sets a value below `/proc/sys/net` and reads it back.
    pub fn sysctl(&self, path: &str, value: &str) {
        self.run(|| {
            let path = format!("/proc/sys/net/{path}");
            std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), value, "{path}");
        });
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
