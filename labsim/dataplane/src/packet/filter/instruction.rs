//! Classic BPF (Documentation/networking/filter.rst): the instructions that the filters are made
//! of.

use labsim_sys::filter::Instruction;

pub(super) const LOAD_WORD: u16 = 0x20;
pub(super) const LOAD_HALF: u16 = 0x28;
pub(super) const LOAD_BYTE: u16 = 0x30;
/// Relative to the IPv4 header's length, which is in the index register.
pub(super) const LOAD_HALF_AFTER: u16 = 0x48;
pub(super) const LOAD_BYTE_AFTER: u16 = 0x50;
/// Loads four times a byte's lower half into the index register.
pub(super) const LOAD_HEADER_LENGTH: u16 = 0xb1;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
pub(super) const JUMP_ANY_BIT: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;
/// Jumps over as many instructions as its value says.
pub(super) const JUMP: u16 = 0x05;

pub(super) const fn load(code: u16, value: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, value }
}

pub(super) const fn jump(code: u16, value: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, value }
}

/// Jumps over `count` instructions, however many they are.
pub(super) const fn over(count: u32) -> Instruction {
    Instruction { code: JUMP, jump_true: 0, jump_false: 0, value: count }
}

/// Runs the next instruction only if what was loaded is `value`.
pub(super) const fn unless(value: u32) -> Instruction {
    Instruction { code: JUMP_EQUAL, jump_true: 0, jump_false: 1, value }
}

/// Leaves the next instruction out if what was loaded is `value`.
pub(super) const fn when(value: u32) -> Instruction {
    Instruction { code: JUMP_EQUAL, jump_true: 1, jump_false: 0, value }
}

pub(super) const fn give(value: u32) -> Instruction {
    Instruction { code: RETURN, jump_true: 0, jump_false: 0, value }
}
