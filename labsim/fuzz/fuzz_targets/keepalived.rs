//! Text as keepalived.conf, which is imported.
#![no_main]

use labsim_import::{Source, keepalived};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = keepalived::import(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
