//! The `labsim` command: arguments and exit codes.

fn main() {}
