//! Schedulers of IPVS, and the load balancing modes that are nearest to them.

use super::words::Word;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{LoadBalancingMode, Maglev, MaglevHash};

/// A service's scheduler.
#[derive(Debug)]
pub(super) struct Scheduler {
    /// Its word; where it is not written, IPVS has `wlc`.
    pub(super) name: Option<Word>,
    /// Its flags, such as `mh-port`.
    pub(super) flags: Vec<Word>,
}

/// The scheduler of ipvsadm and keepalived where none is written.
const DEFAULT: &str = "wlc";

impl Scheduler {
    /// The mode. What is different is warned about, and what labsim does not have listed.
    pub(super) fn mode(
        &self,
        what: &str,
        place: Place,
        report: &mut Report<'_>,
    ) -> LoadBalancingMode {
        let name = self.name.as_ref().map_or(DEFAULT, |word| word.text.as_str());
        let place = self.name.as_ref().map_or(place, |word| word.place);
        let shown = format!("{what}: scheduler {}", printable(name));
        // `flag-1` and `flag-2` are the same flags by their numbers (ip_vs.h).
        let is_port = |flag: &&Word| ["mh-port", "flag-2"].contains(&flag.text.as_str());
        let by_port = name == "mh" && self.flags.iter().any(|flag| is_port(&flag));
        for flag in self.flags.iter().filter(|flag| name != "mh" || !is_port(flag)) {
            let what = format!("{shown}: {}", printable(&flag.text));
            report.not_imported(flag.place, what, "labsim's modes have no such flag");
        }
        match name {
            "rr" => LoadBalancingMode::RoundRobin,
            "wrr" => LoadBalancingMode::Ratio,
            "lc" | "wlc" => {
                let mode = match name {
                    "lc" => LoadBalancingMode::LeastConnections,
                    _ => LoadBalancingMode::RatioLeastConnections,
                };
                let why = "IPVS counts an inactive connection as a 256th of an active one; labsim \
                           counts each flow as one";
                report.warn(place, shown, why);
                mode
            }
            "mh" => {
                let hash = if by_port { MaglevHash::FiveTuple } else { MaglevHash::SourceAddress };
                let why = "labsim's hash and table are not IPVS's: a client may get another member";
                report.warn(place, shown, why);
                LoadBalancingMode::Maglev(Maglev { hash, ..Maglev::default() })
            }
            _ => {
                let why = match name {
                    "sh" => {
                        "labsim has no table of the clients' addresses as `sh` has; its hash by \
                             source address is `maglev`. `round_robin` is used"
                    }
                    _ => "labsim has no such load balancing mode; `round_robin` is used",
                };
                report.not_imported(place, shown, why);
                LoadBalancingMode::RoundRobin
            }
        }
    }
}
