//! For tests alone: fewer rights, and counted allocations.

use crate::filter::Instruction;
use nix::errno::Errno;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator, which counts what it allocates: for `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator(AtomicU64);

impl CountingAllocator {
    /// With a count of 0.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Allocations up to now.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for CountingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from the system allocator with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Runs `work` when the process ends (atexit(3)).
pub fn at_exit(work: extern "C" fn()) {
    // SAFETY: a function is there as long as the program, and one that unwinds aborts it.
    unsafe { libc::atexit(work) };
}

/// Gives the calling thread a scheduling class (`SCHED_FIFO` and others) and its priority.
///
/// # Errors
/// Those of sched_setscheduler(2).
pub fn set_scheduler(policy: i32, priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameters` is a readable sched_param, which the kernel copies.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives up every capability of the calling thread but some of the first 32 (capset(2)); bit `n` of
/// `kept` is capability `n` of linux/capability.h.
///
/// # Errors
/// Those of capset(2).
pub fn keep_capabilities(kept: u32) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let masks = [kept, kept, 0, 0, 0, 0];
    // SAFETY: version 3 takes two triples of 32-bit masks; both outlive the call.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, masks.as_ptr()) };
    Ok(Errno::result(set).map(drop)?)
}

/// Has a system call fail with `EPERM` from here on, in the calling thread and in all that it
/// starts (seccomp(2)); with an argument, only where the argument at that place has that value.
/// Takes the right to gain rights by an exec, too (`PR_SET_NO_NEW_PRIVS`).
///
/// # Errors
/// Those of prctl(2).
pub fn forbid_call(number: i64, argument: Option<(usize, u32)>) -> io::Result<()> {
    let statement = |code: u32, jump: (u8, u8), value: u32| Instruction {
        code: code as u16,
        jump_true: jump.0,
        jump_false: jump.1,
        value,
    };
    let load = |at: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), at);
    let unless =
        |value, skip| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, skip), value);
    let give = |value| statement(libc::BPF_RET | libc::BPF_K, (0, 0), value);
    let number = u32::try_from(number).map_err(io::Error::other)?;
    let refuse = libc::SECCOMP_RET_ERRNO | Errno::EPERM as u32;
    // The call's number is the first member of `struct seccomp_data`; its arguments begin at 16.
    let (place, value) = argument.unwrap_or_default();
    let argument = match argument {
        None => [load(0), unless(number, 1)],
        // The low half of a 64-bit number, which comes first on a little-endian machine.
        Some(_) => [
            load(16 + 8 * place as u32 + 4 * u32::from(cfg!(target_endian = "big"))),
            unless(value, 1),
        ],
    };
    let program = [
        load(0),
        unless(number, 3),
        argument[0],
        argument[1],
        give(refuse),
        give(libc::SECCOMP_RET_ALLOW),
    ];
    let filter =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: the filter points at a program of the length that it says, of instructions that are
    // laid out as sock_filter; both outlive the call, which only reads them.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    Ok(Errno::result(set).map(drop)?)
}

/// Runs `work` in the child before the program begins. Only for tests: between fork and exec in a
/// process with several threads, `work` may wait for ever for a lock of another thread's, such as
/// the allocator's of a C library other than glibc and musl, which reset theirs.
pub fn before_exec(
    command: &mut Command,
    work: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: see above; nothing of this process's memory changes.
    unsafe { command.pre_exec(work) };
}
