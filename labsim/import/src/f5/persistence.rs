//! `persist` of a virtual server, and `ltm persistence source-addr`.

use super::address::short;
use super::config::{Config, Object};
use super::defaults_from::{ProfileKind, Profiles};
use super::read;
use super::tree::{Block, Property};
use crate::address::mask_length;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{Persistence, SourceAddress};

pub(super) const SOURCE_ADDR: ProfileKind<SourceAddress> = ProfileKind {
    root: "/Common/source_addr",
    what: "ltm persistence source-addr",
    absent: "it is in none of the imported files; source_addr's own defaults are used",
    objects: |config| &config.source_addrs,
    apply,
};

/// The persistence of `persist { NAME { default yes } }`, or of `persist NAME`.
pub(super) fn persistence(
    property: &Property<'_>,
    what: &str,
    profiles: &mut Profiles<SourceAddress>,
    config: &Config,
    report: &mut Report<'_>,
) -> Persistence {
    let names = match (property.word(), property.block()) {
        (Some(word), _) => vec![(word, None)],
        (None, Some(block)) => block.names(),
        (None, None) => {
            report.diagnostic(property.place, "write `persist { NAME { default yes } }`");
            Vec::new()
        }
    };
    let mut found = None;
    for (name, block) in names.into_iter().filter(|(name, _)| name.text != "none") {
        let shown = format!("{what}: persist {}", printable(short(&name.text)));
        if !profiles.has(&name.text, config) {
            let why = "labsim supports persistence by source address only; if this is such \
                       a profile, add the file that declares it";
            report.not_imported(name.place, shown, why);
            continue;
        }
        if found.is_some() {
            let message = "a virtual server has one persistence; remove the others";
            report.diagnostic(name.place, message);
        }
        found = Some(profiles.resolve(&name.text, config, report));
        for property in block.map(Block::properties).unwrap_or_default() {
            if property.name() != "default" {
                read::not_imported(&shown, &property, report);
            }
        }
    }
    found.map_or(Persistence::None, Persistence::SourceAddress)
}

fn apply(
    settings: &mut SourceAddress,
    property: &Property<'_>,
    object: &Object,
    report: &mut Report<'_>,
) {
    let is = |text: &str| property.word().is_some_and(|word| word.text == text);
    match property.name() {
        "timeout" => {
            if let Some(seconds) = read::seconds(property, &object.what, report) {
                settings.timeout = seconds;
            }
        }
        "mask" if property.is_none() || is("255.255.255.255") => settings.prefix_length = None,
        "mask" => {
            let Some(word) = read::word(property, report) else { return };
            if let Some(length) = report.check(word.place, mask_length(&word.text)) {
                settings.prefix_length = Some(length);
            }
        }
        // F5's defaults, which are labsim's behaviour.
        "hash-algorithm" if is("default") => {}
        "map-proxies" if is("enabled") => {}
        "match-across-pools"
        | "match-across-services"
        | "match-across-virtuals"
        | "mirror"
        | "override-connection-limit"
            if is("disabled") => {}
        _ => read::not_imported(&object.what, property, report),
    }
}
