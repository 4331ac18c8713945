//! Closing the descriptors that a child process has of its parent, between fork and exec.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

/// Numbers that are tried where the kernel lists none.
const HIGHEST: RawFd = 1 << 16;

/// Closes what execve(2) would close, and returns once it is closed: sockets have told their peers, and
/// listen no more. Pipes and Unix sockets are left to the exec: by one of them the standard library
/// reports how that went.
///
/// execve(2) itself only puts the last references of files on a list, which the kernel works off in the
/// reverse order before the new program runs (task_work_run in kernel/task_work.c). So the end of a
/// channel that it closed tells nobody that the other files are closed, and one that is closed slowly, such
/// as a packet socket, holds up all before it. close(2) returns after the list has been worked off.
///
/// Makes system calls only, so that it may be called between fork and exec.
pub(crate) fn close_before_exec() {
    let close = |number: RawFd| {
        // SAFETY: the number is borrowed for queries, which say so if it is not open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if is_close_on_exec(descriptor) && !is_local_channel(descriptor) {
            // SAFETY: the child leaves its copies of its parent's descriptors to the exec, and uses
            // none of those until then that the exec would close, but pipes and Unix sockets.
            unsafe { libc::close(number) };
        }
    };
    if !for_each_open(close) {
        (3..HIGHEST).for_each(close);
    }
}

fn is_close_on_exec(descriptor: BorrowedFd<'_>) -> bool {
    let flags = fcntl(descriptor, FcntlArg::F_GETFD).map(FdFlag::from_bits_truncate);
    flags.is_ok_and(|flags| flags.contains(FdFlag::FD_CLOEXEC))
}

/// Whether it is a pipe or a Unix socket.
fn is_local_channel(descriptor: BorrowedFd<'_>) -> bool {
    let Ok(status) = fstat(descriptor) else { return false };
    match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFIFO => true,
        SFlag::S_IFSOCK => socket_domain(descriptor) == Some(libc::AF_UNIX),
        _ => false,
    }
}

/// The socket's address family (`SO_DOMAIN`, socket(7)).
fn socket_domain(descriptor: BorrowedFd<'_>) -> Option<libc::c_int> {
    let mut domain: libc::c_int = 0;
    let mut length = size_of_val(&domain) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `domain`.
    let answered = unsafe {
        libc::getsockopt(
            descriptor.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            (&raw mut domain).cast(),
            &raw mut length,
        )
    };
    (answered == 0).then_some(domain)
}

/// Calls `act` for each open descriptor after the standard streams, and returns false where
/// `/proc/self/fd` cannot be read (proc_pid_fd(5)).
fn for_each_open(act: impl Fn(RawFd)) -> bool {
    #[repr(C, align(8))]
    struct Buffer([u8; 4096]);
    // SAFETY: opens a folder, by a path that ends in a zero byte.
    let folder = unsafe {
        libc::open(c"/proc/self/fd".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC)
    };
    if folder < 0 {
        return false;
    }
    let mut buffer = Buffer([0; 4096]);
    let is_whole = loop {
        // SAFETY: the kernel writes at most the buffer's length into it (getdents64(2)).
        let length = unsafe {
            libc::syscall(libc::SYS_getdents64, folder, buffer.0.as_mut_ptr(), buffer.0.len())
        };
        let Ok(length) = usize::try_from(length) else { break false };
        if length == 0 {
            break true;
        }
        let mut entries = buffer.0.get(..length).unwrap_or_default();
        while let Some((number, rest)) = split_entry(entries) {
            entries = rest;
            if let Some(number) = number.filter(|number| *number > 2 && *number != folder) {
                act(number);
            }
        }
    };
    // SAFETY: it is this function's.
    unsafe { libc::close(folder) };
    is_whole
}

/// The number that the first entry is named by, if it is one, and the entries after it: `None` at the
/// end. An entry has its length at byte 16 and its name from byte 19 on (getdents64(2)).
fn split_entry(entries: &[u8]) -> Option<(Option<RawFd>, &[u8])> {
    let length = usize::from(u16::from_ne_bytes(*entries.get(16..)?.first_chunk()?));
    let name = CStr::from_bytes_until_nul(entries.get(19..length)?).ok()?;
    let number = name.to_str().ok().and_then(|name| name.parse().ok());
    Some((number, entries.get(length..)?))
}

/// Closes every descriptor but one: pipes end with the program.
pub(crate) fn close_all(but: Option<RawFd>) {
    let last = libc::c_uint::MAX;
    let but = but.map_or(last, RawFd::cast_unsigned);
    for (from, to) in [(0, but.saturating_sub(1)), (but.saturating_add(1), last)] {
        if from > to {
            continue;
        }
        // SAFETY: takes numbers only. The process uses no other descriptor from here on.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
        if closed != 0 {
            for descriptor in from..to.min(HIGHEST.cast_unsigned()) {
                // SAFETY: as above; kernels before 5.9 have no close_range(2).
                unsafe { libc::close(descriptor.cast_signed()) };
            }
        }
    }
}
