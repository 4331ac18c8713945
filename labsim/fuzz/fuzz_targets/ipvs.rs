//! Text as commands of ipvsadm, which are imported.
#![no_main]

use labsim_import::{Source, ipvs};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = ipvs::read(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    if let Err(problems) = ipvs::import(&[Source::new("fuzz.conf", text)]) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
});
