//! IPVS's timeouts, which all services of a director share: `ipvsadm --set`, keepalived's `lvs_timeouts`.

use super::words::{self, Word};
use crate::report::Report;
use labsim_model::IpProtocol;

/// Longest time that labsim's flows take: a day.
const LONGEST: u32 = 86_400;
/// Longest time that both languages take, in seconds (ipvsadm.c: 31 days).
const MOST: u32 = 31 * 86_400;
/// IPVS's own time after a FIN, in seconds (ip_vs_proto_tcp.c).
const TCP_FIN: u32 = 120;

/// Seconds without a packet after which a connection is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// Of established TCP connections.
    pub(crate) tcp: u32,
    pub(crate) udp: u32,
}

impl Default for Timeouts {
    /// The kernel's own (ip_vs_proto_tcp.c, ip_vs_proto_udp.c).
    fn default() -> Self {
        Self { tcp: 900, udp: 300 }
    }
}

impl Timeouts {
    /// That of a protocol.
    pub(crate) const fn of(self, protocol: IpProtocol) -> u32 {
        match protocol {
            IpProtocol::Tcp => self.tcp,
            IpProtocol::Udp => self.udp,
        }
    }

    /// Takes one of `tcp`, `tcpfin` and `udp`; 0 changes nothing. `what` is the command or statement.
    pub(super) fn set(&mut self, which: &str, word: &Word, what: &str, report: &mut Report<'_>) {
        let Some(seconds) = words::number(word, "a time in seconds", 0..=MOST, report) else {
            return;
        };
        let kept = match which {
            "tcp" => &mut self.tcp,
            "udp" => &mut self.udp,
            _ => {
                if ![0, TCP_FIN].contains(&seconds) {
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
}
