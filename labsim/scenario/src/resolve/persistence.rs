//! Persistence: whether a client's new flows go to the server of its last one.

use super::Report;
use crate::file::{PersistenceForm, SourceAddressFields};
use crate::model::SourceAddressPersistence;
use crate::text::quoted;
use labsim_yaml::Located;
use std::net::IpAddr;
use std::time::Duration;

/// F5's timeout of source address persistence, in seconds.
const TIMEOUT: u64 = 180;
/// Longest timeout: a day.
const LONGEST_TIMEOUT: u64 = 86_400;

/// Resolves a virtual server's persistence.
pub(super) fn persistence(
    written: Option<&Located<PersistenceForm>>,
    vip: Option<IpAddr>,
    report: &mut Report<'_>,
) -> Option<SourceAddressPersistence> {
    let written = written?;
    let options = match &written.value {
        PersistenceForm::Text(word) => match word.as_str() {
            "none" => return None,
            "source_address" => &SourceAddressFields::default(),
            other => {
                report.at(
                    written.span,
                    format!(
                        "{} is no persistence; write `none` or `source_address`",
                        quoted(other)
                    ),
                );
                return None;
            }
        },
        PersistenceForm::Map(map) => &map.source_address,
    };
    let SourceAddressFields { timeout, prefix_length } = options;
    if let Some(seconds) = timeout.filter(|one| !(1..=LONGEST_TIMEOUT).contains(&one.value)) {
        report.at(
            seconds.span,
            format!("a persistence timeout of {} s; write 1 to {LONGEST_TIMEOUT}", seconds.value),
        );
    }
    let bits = if vip.is_some_and(|vip| vip.is_ipv6()) { 128 } else { 32 };
    if let Some(length) = prefix_length.filter(|length| !(1..=bits).contains(&length.value)) {
        report.at(length.span, format!("a prefix of {} bits; write 1 to {bits}", length.value));
    }
    Some(SourceAddressPersistence {
        timeout: Duration::from_secs(timeout.map_or(TIMEOUT, |one| one.value)),
        prefix_length: prefix_length.map(|one| one.value),
    })
}
