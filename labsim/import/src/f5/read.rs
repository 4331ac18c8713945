//! Values of properties, and the reasons why properties are not imported.

use super::tree::{Property, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::{printable, reason};
use labsim_model::quote;

/// Longest time that labsim supports: a day.
const LONGEST: u32 = 86_400;

/// The one word that a property has to have.
pub(super) fn word<'t>(property: &Property<'t>, report: &mut Report<'_>) -> Option<&'t Word> {
    let found = property.word();
    if found.is_none() {
        report.diagnostic(
            property.place,
            format!("{} takes one word; write it behind the name", quote(property.name())),
        );
    }
    found
}

/// `enabled` or `disabled`; `yes` and `no` as older versions write it.
pub(super) fn switch(property: &Property<'_>, report: &mut Report<'_>) -> Option<bool> {
    let word = word(property, report)?;
    match word.text.as_str() {
        "enabled" | "enable" | "yes" => Some(true),
        "disabled" | "disable" | "no" => Some(false),
        other => report.reject(
            word.place,
            format!("{} is neither `enabled` nor `disabled`; write one of them", quote(other)),
        ),
    }
}

/// A time in whole seconds, `immediate` or `indefinite`: the nearest one from 1 s to a day.
pub(super) fn seconds(property: &Property<'_>, what: &str, report: &mut Report<'_>) -> Option<u32> {
    let word = word(property, report)?;
    let wanted = match word.text.as_str() {
        "indefinite" => u32::MAX,
        "immediate" => 0,
        text => {
            let message = format!(
                "{} is not a time; write seconds, `immediate` or `indefinite`",
                quote(text)
            );
            report.check(word.place, text.parse().map_err(|_| message))?
        }
    };
    let seconds = wanted.clamp(1, LONGEST);
    if seconds != wanted {
        let why = format!("the nearest supported time is used: {seconds} s");
        report.warn(word.place, format!("{what}: {}", property.name()), why);
    }
    Some(seconds)
}

/// Lists a route domain other than 0.
pub(super) fn note_route_domain(
    domain: Option<u16>,
    place: Place,
    what: &str,
    report: &mut Report<'_>,
) {
    if domain.is_some() {
        let why = "the lab has no route domains; it is imported without one";
        report.not_imported(place, format!("{what}: route domain"), why);
    }
}

/// Lists a property as left out, unless it says that there is nothing.
pub(super) fn not_imported(what: &str, property: &Property<'_>, report: &mut Report<'_>) {
    if property.is_none() {
        return;
    }
    let name = match property.name() {
        "" => "{ … }".to_owned(),
        name => printable(name),
    };
    // Words of a list of flags may hold anything, so only the name is shown.
    report.not_imported(place_of(property), format!("{what}: {name}"), why(property.name()));
}

fn place_of(property: &Property<'_>) -> Place {
    property.key.map_or(property.place, |key| key.place)
}

/// Reasons why properties are not imported, by their names.
const REASONS: &str = "\
    app-service description metadata partition creation-time last-modified-time vs-index \
        auto-discovery: it has no effect on packets
    monitor state up-interval min-up-members min-up-members-action min-up-members-checking \
        gateway-failsafe-device time-until-up: labsim's pools have one monitor for all members, which \
        knows nothing of this
    send recv recv-disable adaptive adaptive-divergence-type adaptive-limit adaptive-sampling-timespan \
        manual-resume reverse ip-dscp: labsim's probe makes a connection, or sends an echo request
    ratio: labsim's ratios are members' and not nodes'
    dynamic-ratio min-active-members priority-group slow-ramp-time: labsim's members have fixed \
        ratios and no priorities
    connection-limit rate-limit rate-limit-mode rate-limit-dst-mask rate-limit-src-mask \
        rate-class queue-depth-limit queue-on-connection-limit queue-time-limit max-bandwidth: \
        labsim sets no limits on flows
    fallback-persistence: labsim supports persistence by source address only
    match-across-pools match-across-services match-across-virtuals: each virtual server \
        remembers its clients for itself
    mirror connection-mirroring: the lab has one load balancer
    rules related-rules: labsim does not run iRules
    policies per-flow-request-access-policy fw-enforced-policy fw-staged-policy fw-rule fw-rules \
        security-log-profiles security-nat-policy ip-intelligence-policy service-policy bwc-policy \
        traffic-acceleration: labsim applies no policies
    vlan vlans vlans-enabled vlans-disabled allow-service port-lockdown traffic-group floating \
        inherited-traffic-group unit ha-group: the lab has one load balancer with one interface, and \
        no VLANs
    source-port: labsim chooses source ports itself when it translates addresses
    auto-lasthop last-hop-pool: packets leave by the lab's routes
    service-down-action: without a monitor no member goes down; write `action_on_down` beside \
        the pool's `monitor`
    reselect-tries ignore-persisted-weight: labsim treats every member as available
    allow-nat allow-snat: the virtual server's own translation is what counts
    nat64: labsim translates within one address family
    arp icmp-echo route-advertisement spanning server-scope auto-delete enabled: the lab's \
        router has a route to the VIP, and needs no announcement
    pva-offload-dynamic pva-offload-state hardware-syn-cookie software-syn-cookie \
        syn-cookie-enable pva-offload-initial-priority \
        pva-dynamic-client-packets pva-dynamic-server-packets pva-flow-aging pva-flow-evict: the lab \
        has no acceleration hardware; packets take the same path";

/// Why a property is not imported.
fn why(name: &str) -> &'static str {
    reason(REASONS, name)
}
