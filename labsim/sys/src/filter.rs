//! Classic BPF programs (Documentation/networking/filter.rst) for sockets.

use crate::socket::{Plain, set_option};
use std::io;
use std::os::fd::BorrowedFd;

/// `BPF_MAXINSNS`: more instructions than that no program may have.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// One instruction, as `struct sock_filter` (linux/filter.h) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions to skip if a comparison holds.
    pub jump_true: u8,
    /// Instructions to skip if it does not.
    pub jump_false: u8,
    /// The operand.
    pub value: u32,
}

impl Instruction {
    /// The bytes of `struct sock_filter`.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        let Self { code, jump_true, jump_false, value } = self;
        let mut bytes = [0; 8];
        bytes[..2].copy_from_slice(&code.to_ne_bytes());
        bytes[2] = jump_true;
        bytes[3] = jump_false;
        bytes[4..].copy_from_slice(&value.to_ne_bytes());
        bytes
    }
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

impl Default for Program {
    fn default() -> Self {
        Self { length: 0, instructions: std::ptr::null() }
    }
}

// SAFETY: the kernel follows the pointer for `length` instructions, and only while it is called.
unsafe impl Plain for Program {}

/// Attaches a program to a socket, in the place of an earlier one (`SO_ATTACH_FILTER`, socket(7)).
///
/// # Errors
/// `EINVAL` for a program that the kernel's verifier rejects or that is longer than
/// [`MAX_INSTRUCTIONS`].
pub fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = Program { length, instructions: program.as_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}
