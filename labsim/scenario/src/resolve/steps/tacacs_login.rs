//! TACACS+ logins.

use super::exchanges::{CONCURRENCY, times};
use super::{ServerStep, number, seconds};
use crate::file::RawTacacsLogin;
use crate::model::{
    Exchange, ExchangeForm, LoginMethod, NodeName, Secret, ServerKind, StepAction, TacacsLogin,
};
use crate::resolve::Report;
use crate::resolve::tacacs_servers::CREDENTIAL;
use labsim_codes::file;

/// How long a login may take, in seconds.
const TIMEOUT: u64 = 5;

/// Resolves a login step.
pub(super) fn tacacs_login(
    fields: &RawTacacsLogin,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let nodes = step.lookup.nodes(&fields.from, report);
    let from: Vec<NodeName> = nodes.into_iter().map(|node| node.value).collect();
    let to = step.to(&fields.to, &from, report);
    let times = times(fields.times, &from, "login", report);
    let concurrency = number(fields.concurrency, (1, CONCURRENCY), "concurrency", report);
    report.plain(&fields.user, "user name", CREDENTIAL);
    report.plain(&fields.password, "password", CREDENTIAL);
    let pause = fields.pause.filter(|pause| pause.value);
    if let Some(pause) = pause {
        if fields.method != LoginMethod::Ascii {
            report.at(
                pause.span,
                file::CONFLICT,
                "only an ASCII login can pause, when the server asks for the password; leave \
                 `method` out",
            );
        }
        if from.len() > 1 || times > 1 {
            report.at(
                pause.span,
                file::CONFLICT,
                "only a single login can pause; name one client, and no `times`",
            );
        }
    }
    let background = fields.background.filter(|background| background.value);
    if let (Some(_), Some(background)) = (pause, background) {
        report.at(
            background.span,
            file::CONFLICT,
            "`pause` and `background` exclude each other; leave `background` out",
        );
    }
    let secret = step.secret(fields.secret.as_ref(), ServerKind::Tacacs, report);
    if from.is_empty() {
        return None;
    }
    Some(StepAction::Exchange(Box::new(Exchange {
        from,
        times,
        concurrency,
        to: to?,
        timeout: seconds(fields.timeout, TIMEOUT, report),
        pause: pause.is_some(),
        background: background.is_some(),
        form: ExchangeForm::TacacsLogin(TacacsLogin {
            secret: secret?,
            method: fields.method,
            user: fields.user.value.clone(),
            password: Secret::new(fields.password.value.clone()),
            close: fields.close,
        }),
    })))
}
