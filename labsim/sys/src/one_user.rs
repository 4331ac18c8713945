//! Programs that become another user, in a user namespace that has one user alone.
//!
//! tcpdump, started by root, becomes the user `tcpdump`; a user namespace that an ordinary user made has
//! no such user, and no setgroups(2) (user_namespaces(7)), so it would end. All that such a program can
//! give up there is what the ordinary user has: the call is answered as done, and nothing is done.

use crate::filter::Instruction;
use nix::errno::Errno;
use std::io;
use std::mem::offset_of;

/// The calls that name users and groups (setuid(2), setgroups(2)).
const CALLS: [libc::c_long; 9] = [
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
];

/// The machine that a call is made for (linux/audit.h): numbers of calls are the machine's own.
#[cfg(target_arch = "x86_64")]
const MACHINE: Option<u32> = Some(0xc000_003e);
/// As above.
#[cfg(target_arch = "aarch64")]
const MACHINE: Option<u32> = Some(0xc000_00b7);
/// Calls of other machines are not answered.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MACHINE: Option<u32> = None;

/// Whether this process's user namespace has one user alone: its groups were given up to map it.
#[must_use]
pub fn is_alone() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() == "deny")
}

/// Has the calls that change user or group succeed without doing anything, in the calling thread and in
/// all that it starts from here on (seccomp(2)). Allocates nothing.
///
/// # Errors
/// `EACCES` without CAP_SYS_ADMIN in the user namespace, and other refusals of the kernel.
pub fn pretend() -> io::Result<()> {
    let Some(machine) = MACHINE else { return Ok(()) };
    let statement = |code: u32, jump: (u8, u8), value: u32| Instruction {
        code: code as u16,
        jump_true: jump.0,
        jump_false: jump.1,
        value,
    };
    let load = |at: usize| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), at as u32);
    let equal = |value, jump| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jump, value);
    let give = |value| statement(libc::BPF_RET | libc::BPF_K, (0, 0), value);
    let calls = CALLS.len() as u8;
    let mut program = [give(libc::SECCOMP_RET_ALLOW); CALLS.len() + 5];
    let start = [
        load(offset_of!(libc::seccomp_data, arch)),
        // Over all calls, to the last but one.
        equal(machine, (0, calls + 1)),
        load(offset_of!(libc::seccomp_data, nr)),
    ];
    program[..3].copy_from_slice(&start);
    for ((instruction, call), after) in program[3..].iter_mut().zip(CALLS).zip((0..calls).rev()) {
        *instruction = equal(call as u32, (after + 1, 0));
    }
    // An error's number of zero is a success.
    program[CALLS.len() + 4] = give(libc::SECCOMP_RET_ERRNO);
    let filter =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the filter points at a program of the length that it says, of instructions that are laid out
    // as sock_filter; both outlive the call, which only reads them.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    Ok(Errno::result(set).map(drop)?)
}
