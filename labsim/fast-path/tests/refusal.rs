//! Where bpf(2) is not allowed, the fast path says so, and how it can be.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use labsim_fast_path::{Capacity, Error, FastPath};
use labsim_sys::testing::forbid_call;
use labsim_wire::ethernet::Mac;

/// In a thread of its own, which is not allowed the call from there on.
fn attach_without_bpf() -> Error {
    let attach = || {
        forbid_call(libc::SYS_bpf, None).unwrap();
        FastPath::attach("lo", Mac::default(), Capacity::default()).unwrap_err()
    };
    std::thread::spawn(attach).join().unwrap()
}

#[test]
fn a_user_who_may_not_call_bpf_is_told_what_to_grant() {
    let error = attach_without_bpf();
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    let text = error.to_string();
    for word in ["bpf(2)", "CAP_BPF", "packet ring"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let attach = FastPath::attach("no-such-device", Mac::default(), Capacity::default());
    let text = attach.unwrap_err().to_string();
    assert!(text.contains("no-such-device"), "{text}");
}
