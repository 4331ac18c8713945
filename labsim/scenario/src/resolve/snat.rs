//! Source address translation: whose address stands in for the client's.

use super::lookup::Lookup;
use super::{Report, address};
use crate::file::SourceTranslationForm;
use crate::model::SourceTranslation;
use crate::text::quoted;
use labsim_yaml::Located;
use std::collections::HashSet;
use std::net::IpAddr;

/// Most addresses of a SNAT pool.
const ADDRESSES: usize = 64;

/// Resolves a virtual server's source translation; the second part is its load balancer and VIP.
pub(super) fn source_translation(
    written: Option<&Located<SourceTranslationForm>>,
    (balancer, vip): (&Located<String>, Option<IpAddr>),
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> SourceTranslation {
    let Some(written) = written else { return SourceTranslation::None };
    let list = match &written.value {
        SourceTranslationForm::Text(word) => match word.as_str() {
            "none" => return SourceTranslation::None,
            "automap" => return SourceTranslation::Automap,
            other => {
                report.at(
                    written.span,
                    format!(
                        "{} is no source address translation; write `none`, `automap` or \
                         `{{snat: [ADDRESS]}}`",
                        quoted(other)
                    ),
                );
                return SourceTranslation::None;
            }
        },
        SourceTranslationForm::Map(map) => &map.snat,
    };
    if list.value.is_empty() {
        report.empty(list.span, "a SNAT pool without addresses; add one, or write `automap`");
    }
    report.limit(list.span, list.value.len(), ADDRESSES, "SNAT address");
    let (mut addresses, mut seen) = (Vec::new(), HashSet::new());
    for text in list.value.iter().take(ADDRESSES) {
        let Some(address) = report.take(text.span, address::host(text)) else { continue };
        if address.is_ipv6() {
            report.at(text.span, "source address translation is for IPv4; write an IPv4 address");
        } else if !seen.insert(address) {
            report.at(text.span, format!("{address} is named twice; keep one"));
        } else if vip == Some(address) {
            report.at(
                text.span,
                format!(
                    "{address} is the virtual server's own address; give SNAT one that is its own"
                ),
            );
        } else if let Some(owner) =
            lookup.owner(address).filter(|owner| owner.node.as_str() != balancer.as_str())
        {
            report.at(
                text.span,
                format!(
                    "{address} is the address of `{}:{}`; give SNAT one that no other node has",
                    owner.node, owner.interface
                ),
            );
        } else {
            addresses.push(address);
        }
    }
    SourceTranslation::Pool(addresses)
}
