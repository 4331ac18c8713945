//! labsim as its users run it: the program, on files of the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod by_steps;
mod causes;
mod commands;
mod compare;
mod convert;
mod customer;
mod diagnose;
mod exchanges;
mod exercise;
mod exercise_live;
mod explain;
mod explain_files;
mod faults;
mod graph;
mod html;
mod impairments;
mod junit;
mod live;
mod live_capture;
mod live_changes;
mod live_failover;
mod live_limits;
mod live_logs;
mod live_reset;
mod live_restart;
mod live_ring;
mod live_robust;
mod live_save;
mod live_set;
mod live_shell;
mod live_steps;
mod live_tmux;
mod live_watch;
mod merge_captures;
mod operate;
mod partition;
mod processes;
mod progress;
mod refusals;
mod reproduce;
mod run;
mod states;
mod suite;
mod support;

#[path = "../../labsim/report/tests/junit_rules/mod.rs"]
mod junit_rules;
mod takeover;
mod transfers;
mod validate_messages;
mod wireshark;
