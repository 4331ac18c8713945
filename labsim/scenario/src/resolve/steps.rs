//! Steps: who does what from where to what.

use super::lookup::{Lookup, Vips};
use super::tacacs_servers::{CREDENTIAL, SECRET};
use super::{Report, address};
use crate::file::{LoginMethodWord, StepForm, Table, TacacsLoginFields};
use crate::model::{LoginMethod, NodeName, Secret, Step, StepAction, StepName, TacacsLogin};
use labsim_yaml::{Located, Span};
use std::net::SocketAddr;

/// Most steps of a scenario.
const STEPS: usize = 1024;

/// What the servers hold that steps speak to.
pub(super) struct Servers<'a> {
    pub(super) vips: &'a Vips,
    pub(super) secrets: &'a [Secret],
}

/// Resolves all steps. A step with a mistake is left out, but its name is known.
pub(super) fn steps(
    table: &Table<Located<StepForm>>,
    servers: &Servers<'_>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> (Vec<Step>, Vec<StepName>) {
    let (mut steps, mut names) = (Vec::new(), Vec::new());
    if table.is_empty() {
        report.empty(
            Span::default(),
            "`steps` is empty; a scenario does something, such as a `tacacs_login`",
        );
    }
    if let Some((key, _)) = table.iter().nth(STEPS) {
        report.limit(key.span, table.len(), STEPS, "step");
    }
    for (key, form) in table.iter().take(STEPS) {
        let name = report.take(key.span, StepName::new(key));
        names.extend(name.clone());
        let StepForm::TacacsLogin(fields) = &form.value;
        let login = tacacs_login(fields, key.span, servers, lookup, report);
        if let (Some(name), Some(login)) = (name, login) {
            steps.push(Step { name, action: StepAction::TacacsLogin(login) });
        }
    }
    (steps, names)
}

fn tacacs_login(
    fields: &TacacsLoginFields,
    key: Span,
    servers: &Servers<'_>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Option<TacacsLogin> {
    let from = lookup.node(&fields.from, report);
    let to = report.take(fields.to.span, address::one_port(&fields.to));
    if let Some(to) = to.filter(|_| !report.lacks_some()) {
        report.take(fields.to.span, reachable(to, from.as_ref(), servers, lookup));
    }
    report.plain(&fields.user, "user name", CREDENTIAL);
    report.plain(&fields.password, "password", CREDENTIAL);
    let secret = secret(fields, key, servers, report);
    Some(TacacsLogin {
        from: from?,
        to: to?,
        secret: secret?,
        method: match fields.method {
            LoginMethodWord::Ascii => LoginMethod::Ascii,
            LoginMethodWord::Pap => LoginMethod::Pap,
            LoginMethodWord::Chap => LoginMethod::Chap,
        },
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
    })
}

/// Whether anybody has the address, and whether the client has one of its family.
fn reachable(
    to: SocketAddr,
    from: Option<&NodeName>,
    servers: &Servers<'_>,
    lookup: &Lookup<'_>,
) -> Result<(), String> {
    if !lookup.knows_addresses() {
        return Ok(());
    }
    let address = to.ip();
    if lookup.owner(address).is_none() && !servers.vips.may_hold(address) {
        return Err(format!(
            "nobody has {address}; name a virtual server's destination, or an address of a node"
        ));
    }
    let Some(node) = from.and_then(|name| lookup.get(name)) else { return Ok(()) };
    let mut own = node.interfaces.iter().flat_map(|one| &one.addresses);
    if own.any(|net| net.addr().is_ipv4() == address.is_ipv4()) {
        return Ok(());
    }
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    Err(format!(
        "`{}` has no {family} address to connect to {address} from; give it one",
        node.name
    ))
}

/// The step's own secret, or the one that all servers share.
fn secret(
    fields: &TacacsLoginFields,
    key: Span,
    servers: &Servers<'_>,
    report: &mut Report<'_>,
) -> Option<Secret> {
    if let Some(secret) = &fields.secret {
        let good = report.plain(secret, "secret", SECRET);
        return good.then(|| Secret::new(secret.value.clone()));
    }
    let mut secrets = servers.secrets.iter();
    let Some(first) = secrets.next() else {
        report.empty(
            key,
            "there is no TACACS+ server whose secret this login could use; add one to \
             `tacacs_servers`, or write `secret`",
        );
        return None;
    };
    if secrets.any(|secret| secret != first) {
        report.at(key, "the TACACS+ servers have different secrets; write this login's `secret`");
        return None;
    }
    Some(first.clone())
}
