//! Sysctls, as they were.

use super::Setup;
use crate::plan::Sysctl;
use labsim_model::node_state::Sysctls;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

/// Bytes of a value that are kept at most.
const MOST_BYTES: u64 = 256;
/// Some settings write others (`net.ipv4.ip_forward` those of all devices): they are looked at so often.
const PASSES: usize = 3;

/// The values of these in the calling thread's namespace. Those that it does not have are left out.
pub(super) fn read(keys: &[String]) -> BTreeMap<String, String> {
    keys.iter().filter_map(|key| Some((key.clone(), value(key)?))).collect()
}

/// Writes those that differ, in the calling thread's namespace. Those that it does not have are left out.
pub(super) fn restore(built: &Sysctls, refused: &mut Vec<String>) {
    let mut failures = Vec::new();
    for _ in 0..PASSES {
        failures.clear();
        let mut any = false;
        for (key, wanted) in &built.0 {
            if Setup::follows(key) || value(key).is_none_or(|now| now == *wanted) {
                continue;
            }
            any = true;
            if let Err(error) = Sysctl::new(key.as_str(), wanted.as_str()).set() {
                failures.push(error.to_string());
            }
        }
        if !any {
            break;
        }
    }
    refused.append(&mut failures);
}

impl Setup {
    /// Whether a setting is another one's: IPv6's MTU is the device's.
    #[must_use]
    pub fn follows(sysctl: &str) -> bool {
        sysctl.starts_with("net.ipv6.conf.") && sysctl.ends_with(".mtu")
    }
}

fn value(key: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", Sysctl::new(key, "").path());
    let mut text = String::new();
    File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}
