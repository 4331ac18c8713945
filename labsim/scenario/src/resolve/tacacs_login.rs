//! TACACS+ logins, and the end of those that pause.

use super::Report;
use super::steps::{Asker, Known, ServerKind, number, seconds};
use super::tacacs_servers::CREDENTIAL;
use crate::file::{LoginCloseWord, LoginMethodWord, TacacsLoginFields};
use crate::model::{LoginClose, LoginMethod, NodeName, Secret, Step, StepAction, TacacsLogin};
use crate::text::{listed, quoted};
use labsim_yaml::Located;

/// Most logins of a client, and of a step.
const TIMES: u32 = 100_000;
/// Most logins at a time: each has a socket and a port.
const AT_ONCE: u32 = 10_000;
/// How long a login may take, in seconds.
const TIMEOUT: u64 = 5;

/// Resolves a login step.
pub(super) fn tacacs_login(
    fields: &TacacsLoginFields,
    asker: &Asker<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let nodes = asker.lookup.nodes(&fields.from, report);
    let from: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
    let to = asker.to(&fields.to, &from, report);
    let times = number(fields.times, (1, TIMES), "times", report);
    let at_once = number(fields.at_once, (1, AT_ONCE), "at_once", report);
    if let Some(written) = fields.times
        && u32::try_from(from.len()).is_ok_and(|clients| clients.saturating_mul(times) > TIMES)
    {
        report.at(written.span, format!("at most {TIMES} logins of all clients are allowed"));
    }
    report.plain(&fields.user, "user name", CREDENTIAL);
    report.plain(&fields.password, "password", CREDENTIAL);
    let pause = fields.pause.filter(|pause| pause.value);
    if let Some(pause) = pause {
        if fields.method != LoginMethodWord::Ascii {
            report.at(
                pause.span,
                "only an ASCII login can pause, when the server asks for the password; leave \
                 `method` out",
            );
        }
        if from.len() > 1 || times > 1 {
            report.at(pause.span, "only a single login can pause; name one client, and no `times`");
        }
    }
    let secret = asker.secret(fields.secret.as_ref(), ServerKind::Tacacs, report);
    if from.is_empty() {
        return None;
    }
    Some(StepAction::TacacsLogin(TacacsLogin {
        from,
        times,
        at_once,
        to: to?,
        secret: secret?,
        method: match fields.method {
            LoginMethodWord::Ascii => LoginMethod::Ascii,
            LoginMethodWord::Pap => LoginMethod::Pap,
            LoginMethodWord::Chap => LoginMethod::Chap,
        },
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
        timeout: seconds(fields.timeout, TIMEOUT, report),
        pause: pause.is_some(),
        close: match fields.close {
            LoginCloseWord::Reset => LoginClose::Reset,
            LoginCloseWord::Fin => LoginClose::Fin,
        },
    }))
}

/// Resolves a step that goes on with a login: an earlier one that paused, and only once.
pub(super) fn resume(
    login: &Located<String>,
    (steps, names): (&[Step], &[Known]),
    report: &mut Report<'_>,
) -> Option<StepAction> {
    if !names.iter().any(|known| known.name.as_str() == login.as_str()) {
        let pausing = steps.iter().filter(|step| pauses(&step.action)).map(|step| &step.name);
        let pausing: Vec<_> = pausing.collect();
        report.absent(
            login.span,
            login,
            format!(
                "no step before this one is called {}; those that pause are {}",
                quoted(login),
                listed(pausing.into_iter())
            ),
        );
        return None;
    }
    let step = steps.iter().find(|step| step.name.as_str() == login.as_str())?;
    if !pauses(&step.action) {
        report
            .at(login.span, format!("{} does not pause; write `pause: true` there", quoted(login)));
        return None;
    }
    let again = steps
        .iter()
        .any(|other| matches!(&other.action, StepAction::Resume { login } if *login == step.name));
    if again {
        report.at(
            login.span,
            format!("{} is resumed by an earlier step already; keep one", quoted(login)),
        );
    }
    Some(StepAction::Resume { login: step.name.clone() })
}

fn pauses(action: &StepAction) -> bool {
    matches!(action, StepAction::TacacsLogin(login) if login.pause)
}
