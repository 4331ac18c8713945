//! TACACS+ logins.

use super::ServerStep;
use super::common::{Carrier, Common};
use crate::file::RawTacacsLogin;
use crate::model::{ExchangeForm, LoginMethod, Secret, ServerKind, StepAction, TacacsLogin};
use crate::resolve::Report;
use crate::resolve::tacacs_servers::CREDENTIAL;
use labsim_codes::file;

/// Resolves a login step.
pub(super) fn tacacs_login(
    fields: &RawTacacsLogin,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let exchange = Common::new(&fields.exchange, (Carrier::Tcp, "login"), step, report);
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
        if let Some(exchange) = &exchange {
            exchange.check_pause(pause, report);
        }
    }
    let secret = step.secret(fields.secret.as_ref(), ServerKind::Tacacs, report);
    let form = TacacsLogin {
        secret: secret?,
        method: fields.method,
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
        close: fields.close,
    };
    Some(exchange?.with(pause.is_some(), ExchangeForm::TacacsLogin(form)))
}
