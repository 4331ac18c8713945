//! RADIUS requests: logins, accounting records, Status-Server.

use super::common::{Carrier, Common};
use super::exchanges::MAX_TRANSMISSIONS;
use super::{ServerStep, number};
use crate::file::{RadiusMethod, RawRadiusAccounting, RawRadiusLogin, RawRadiusRequest};
use crate::model::{
    ExchangeForm, LoginMethod, RadiusQuestion, RadiusRequest, Secret, ServerKind, StepAction,
};
use crate::resolve::Report;
use crate::resolve::radius_servers::{LONG, PASSWORD, USER};

/// Resolves an Access-Request.
pub(super) fn login(
    fields: &RawRadiusLogin,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    report.plain(&fields.user, "user name", USER);
    report.plain(&fields.password, "password", PASSWORD);
    let message_authenticator = fields.message_authenticator.unwrap_or(true);
    let required = fields.require_message_authenticator.unwrap_or(message_authenticator);
    let question = RadiusQuestion::Login {
        method: match fields.method {
            RadiusMethod::Pap => LoginMethod::Pap,
            RadiusMethod::Chap => LoginMethod::Chap,
        },
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
        message_authenticator,
        require_message_authenticator: required,
    };
    request(&fields.request, question, step, report)
}

/// Resolves an Accounting-Request.
pub(super) fn accounting(
    fields: &RawRadiusAccounting,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    report.plain(&fields.user, "user name", USER);
    report.plain(&fields.acct_session_id, "session identifier", USER);
    if let Some(class) = &fields.class {
        report.plain(class, "class", LONG);
    }
    let question = RadiusQuestion::Accounting {
        acct_status_type: fields.acct_status_type,
        user: fields.user.value.clone(),
        acct_session_id: fields.acct_session_id.value.clone(),
        class: fields.class.as_ref().map(|class| class.value.clone()).unwrap_or_default(),
    };
    request(&fields.request, question, step, report)
}

/// Resolves a Status-Server request.
pub(super) fn status(
    fields: &RawRadiusRequest,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    request(fields, RadiusQuestion::Status, step, report)
}

fn request(
    fields: &RawRadiusRequest,
    question: RadiusQuestion,
    step: &ServerStep<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let noun = match question {
        RadiusQuestion::Login { .. } => "login",
        RadiusQuestion::Accounting { .. } | RadiusQuestion::Status => "request",
    };
    let exchange = Common::new(&fields.exchange, (Carrier::Udp, noun), step, report);
    let secret = step.secret(fields.secret.as_ref(), ServerKind::Radius, report);
    let max_transmissions =
        number(fields.max_transmissions, MAX_TRANSMISSIONS, "max_transmissions", report);
    let form = RadiusRequest { secret: secret?, question, max_transmissions };
    Some(exchange?.with(false, ExchangeForm::Radius(form)))
}
