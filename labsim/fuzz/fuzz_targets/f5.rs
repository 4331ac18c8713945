//! Text as a configuration of an F5 device (tmsh), which is imported.
#![no_main]

use labsim_import::{Source, f5};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = f5::read(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    if let Err(problems) = f5::import(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
