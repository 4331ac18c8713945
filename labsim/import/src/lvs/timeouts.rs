//! IPVS's timeouts, which all services of a director share: `ipvsadm --set`, keepalived's `lvs_timeouts`.

use super::words::{self, Word};
use crate::report::Report;
use labsim_model::ipvs::Timeouts;

/// Longest time that labsim's flows take: a day.
const LONGEST: u32 = 86_400;
/// Longest time that both languages take, in seconds (ipvsadm.c: 31 days).
const MOST: u32 = 31 * 86_400;

/// Takes one of `tcp`, `tcpfin` and `udp`; 0 changes nothing. `what` is the command or statement.
pub(super) fn set(
    timeouts: &mut Timeouts,
    which: &str,
    word: &Word,
    what: &str,
    report: &mut Report<'_>,
) {
    let Some(seconds) = words::number(word, "a time in seconds", 0..=MOST, report) else {
        return;
    };
    let kept = match which {
        "tcp" => &mut timeouts.tcp,
        "udp" => &mut timeouts.udp,
        _ => {
            if ![0, Timeouts::TCP_FIN].contains(&seconds) {
                let why = "labsim's flows have one time, and their end after a FIN is its own";
                report.not_imported(word.place, format!("{what}: {which}"), why);
            }
            return;
        }
    };
    if seconds == 0 {
        return;
    }
    *kept = seconds.min(LONGEST);
    if *kept != seconds {
        let why = format!("labsim's longest time is {LONGEST} s, which is used");
        report.warn(word.place, format!("{what}: {which}"), why);
    }
}
