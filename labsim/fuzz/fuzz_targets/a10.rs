//! Text as a configuration of an A10 device (ACOS), which is imported.
#![no_main]

use labsim_import::{Source, a10};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = a10::read(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    if let Err(problems) = a10::import(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
