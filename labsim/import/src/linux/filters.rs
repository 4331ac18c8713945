//! Packet filters: `nft list ruleset` (nft(8)) and `iptables-save`. Each rule is listed.

use crate::place::Place;
use crate::report::Report;

/// What a filter has beside its rules.
const FRAME: &str = "chain or table of a packet filter without a rule";
const WHY: &str = "packet filters are not imported; write those that matter as `filters`";

/// Where a text is in a filter.
#[derive(Default)]
pub(super) struct Filters {
    /// How many blocks of nftables are open.
    depth: usize,
    /// Whether a table of iptables is open.
    is_iptables: bool,
}

impl Filters {
    /// Ends what is open, as a command was typed.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// A line of a filter. Whether it is one.
    pub(super) fn line(&mut self, line: &str, place: Place, report: &mut Report<'_>) -> bool {
        let text = line.trim();
        if self.depth > 0 || text.starts_with("table ") && text.ends_with('{') {
            self.nftables(text, place, report);
            return true;
        }
        if text.starts_with('*') && text.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()) {
            self.is_iptables = true;
        } else if !self.is_iptables {
            return false;
        }
        self.iptables(text, place, report);
        true
    }

    fn nftables(&mut self, text: &str, place: Place, report: &mut Report<'_>) {
        let opened = text.bytes().filter(|byte| *byte == b'{').count();
        let closed = text.bytes().filter(|byte| *byte == b'}').count();
        let is_block = ["table ", "chain ", "set ", "map ", "flowtable ", "elements ", "flags "]
            .iter()
            .any(|word| text.starts_with(word));
        let is_drop = text.contains("policy drop");
        let is_frame =
            is_block || text == "}" || text.starts_with("type ") && !is_drop || text.is_empty();
        if is_frame {
            report.left_out(place, FRAME);
        } else {
            let what = if is_drop { "policy of a chain of nftables" } else { "rule of nftables" };
            report.not_imported(place, what, WHY);
        }
        self.depth = (self.depth + opened).saturating_sub(closed);
    }

    fn iptables(&mut self, text: &str, place: Place, report: &mut Report<'_>) {
        let is_policy = |text: &str| text.contains(" DROP ") || text.ends_with(" DROP");
        match text.bytes().next() {
            Some(b':') if is_policy(text) => {
                report.not_imported(place, "policy of a chain of iptables", WHY);
            }
            Some(b'-' | b'[') => report.not_imported(place, "rule of iptables", WHY),
            _ => report.left_out(place, FRAME),
        }
        if text == "COMMIT" {
            self.is_iptables = false;
        }
    }
}
