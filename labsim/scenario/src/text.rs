//! Text that comes from a file and goes to a terminal.

pub(crate) use labsim_model::{count_of as counted, is_plain, list_of as listed, quote as quoted};
