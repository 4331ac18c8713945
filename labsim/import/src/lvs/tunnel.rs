//! Tunnels to real servers: `--tun-type` and its like of ipvsadm, `type` of keepalived.

use super::words::{self, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{GreOptions, GueOptions, Profile, quote};

/// A tunnel as it is written.
#[derive(Debug, Default)]
pub(super) struct TunnelWords<'w> {
    /// `ipip`, `gue` or `gre`; IPVS's default is `ipip`.
    pub(super) kind: Option<&'w Word>,
    /// The UDP destination port of GUE.
    pub(super) port: Option<&'w Word>,
    /// `nocsum`, `csum` or `remcsum`, and where it stands.
    pub(super) checksum: Option<(&'w str, Place)>,
}

impl TunnelWords<'_> {
    /// The place of what is written, if anything is.
    pub(super) fn place(&self) -> Option<Place> {
        let words = [self.kind, self.port].into_iter().flatten().map(|word| word.place);
        words.chain(self.checksum.map(|(_, place)| place)).next()
    }

    /// The profile; `place` is that of the server.
    pub(super) fn profile(
        &self,
        place: Place,
        what: &str,
        report: &mut Report<'_>,
    ) -> Option<Profile> {
        let kind = self.kind.map_or("ipip", |word| word.text.as_str());
        if let (Some(port), "ipip" | "gre") = (self.port, kind) {
            let message = format!("a tunnel of `{kind}` has no port; remove it, or write `gue`");
            return report.reject(port.place, message);
        }
        let checksum = self.checksum.filter(|(word, _)| *word != "nocsum");
        match (kind, checksum) {
            ("ipip", Some((_, place))) | ("gre", Some(("remcsum", place))) => {
                let message = format!("a tunnel of `{kind}` has no such checksum; remove it");
                report.reject(place, message)
            }
            ("ipip", None) => Some(Profile::Ipip),
            ("gre", checksum) => {
                let checksum = checksum.is_some();
                Some(Profile::Gre(GreOptions { checksum, ..GreOptions::default() }))
            }
            ("gue", checksum) => {
                let Some(port) = self.port else {
                    let message = "a tunnel of `gue` needs its UDP port; add it";
                    return report.reject(self.kind.map_or(place, |word| word.place), message);
                };
                let port = words::number(port, "a port of GUE", 1..=65_535, report)?;
                if let Some((word, place)) = checksum {
                    let why = "labsim's GUE packets have no UDP checksum over IPv4";
                    report.not_imported(place, format!("{what}: {}", printable(word)), why);
                }
                let port = u16::try_from(port).ok()?;
                Some(Profile::Gue(GueOptions { port, ..GueOptions::default() }))
            }
            _ => {
                let message =
                    format!("{} is no tunnel of IPVS; write ipip, gue or gre", quote(kind));
                report.reject(self.kind.map_or(place, |word| word.place), message)
            }
        }
    }
}
