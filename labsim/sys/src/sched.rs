//! Asks the scheduler to run a thread soon after it wakes, at the price of shorter turns.

use std::io;

/// The shortest turn that the kernel grants (100 µs), in nanoseconds.
const SHORT_SLICE: u64 = 100_000;

/// `struct sched_attr`, first version (sched_setattr(2)).
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Requests time slices of 100 µs for the calling thread, and for threads that it starts later.
///
/// Since Linux 6.12 `sched_runtime` of an ordinary thread is its slice (EEVDF): a thread with a
/// shorter one has an earlier deadline when it wakes, so a packet does not wait until a busy
/// neighbour's turn of some milliseconds ends. Needs no privilege. Older kernels take the call and
/// change nothing; threads of a real-time class are left as they are.
///
/// # Errors
/// The kernel's refusal (a seccomp filter, for one). Nothing depends on it: callers may ignore it.
pub fn prefer_short_slices() -> io::Result<()> {
    let mut attr = SchedAttr::default();
    let size = size_of::<SchedAttr>() as u32;
    // SAFETY: `attr` is a writable sched_attr of the size that is given; the kernel writes no more.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size, 0) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    if attr.policy != libc::SCHED_OTHER as u32 && attr.policy != libc::SCHED_BATCH as u32 {
        return Ok(());
    }
    attr.size = size;
    attr.flags = 0;
    attr.runtime = SHORT_SLICE;
    // SAFETY: `attr` is a readable sched_attr whose size field gives its size.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::prefer_short_slices;

    #[test]
    fn an_ordinary_thread_may_ask_for_short_slices() {
        assert!(prefer_short_slices().is_ok());
        assert!(prefer_short_slices().is_ok(), "asking twice changes nothing");
    }
}
