//! The state of a host that sent the client's packets on, and keeps the answers that come back to it.

use super::host::is_local;
use super::{Effect, Finding};
use crate::configuration::Host;
use crate::known::Known;
use crate::verdict::stopped_at;
use labsim_codes::cause;
use labsim_wire::tcp::Flags;

/// What the files of such a host say.
pub(super) fn findings(known: &Known<'_>) -> Vec<Finding> {
    let syn = known.ways.requests.find(Flags::SYN);
    let answer = known.ways.replies.find(Flags::SYN.with(Flags::ACK));
    let row = syn.zip(answer).and_then(|(syn, answer)| stopped_at(known, syn, answer));
    let Some(point) = row.and_then(|row| known.row(row)).map(|row| known.name(row.point)) else {
        return Vec::new();
    };
    let (name, device) = point.split_once(':').unwrap_or((point, ""));
    let mut hosts = known.trace.configuration.hosts.iter();
    let Some(host) = hosts.find(|host| host.name == name) else { return Vec::new() };
    own_address(known, host, device).into_iter().chain(forwarding(host)).collect()
}

/// Whether the answer's source is an address of the host, which drops it without `accept_local`. The greater value of
/// all devices and of the one is in force (ip-sysctl.rst).
fn own_address(known: &Known<'_>, host: &Host, device: &str) -> Option<Finding> {
    let vip = known.connection.server.ip();
    let mut addresses = host.state.addresses.iter().flatten();
    let address = addresses.find(|it| is_local(host, it, vip))?;
    let settings = || host.state.settings.iter().filter(|it| it.key == "accept_local");
    let all = settings().find(|it| it.device == "all" && it.value == 0)?;
    let own = settings().find(|it| it.device == device && it.value == 0)?;
    let text = format!(
        "{} has {vip}, the answer's source, on {} ({}), and accept_local is 0 ({} and {})",
        host.name, address.device, address.line, all.line, own.line
    );
    Some(Finding::new(text, Effect::Is(cause::REPLY_SOURCE_FILTERED)))
}

fn forwarding(host: &Host) -> Option<Finding> {
    let forwards = host.state.forwards?;
    let text = format!("{}'s files show ip_forward {}", host.name, u8::from(forwards));
    let codes = vec![cause::FORWARDING_OFF];
    Some(Finding::new(text, if forwards { Effect::Excludes(codes) } else { Effect::Likely(codes) }))
}
