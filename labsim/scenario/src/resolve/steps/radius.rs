//! RADIUS requests: logins, accounting records, Status-Server.

use super::{ServerStep, number, seconds};
use crate::file::{RadiusMethod, RawRadiusAccounting, RawRadiusLogin, RawRadiusRequest};
use crate::model::{LoginMethod, RadiusQuestion, RadiusRequest, Secret, ServerKind, StepAction};
use crate::resolve::Report;
use crate::resolve::radius_servers::{LONG, PASSWORD, USER};

/// Seconds until a request is sent again.
const TIMEOUT: u64 = 1;
/// How often a request is sent: usually, and at most.
const MAX_TRANSMISSIONS: (u32, u32) = (3, 100);

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
    let from = step.lookup.node(&fields.from, report);
    let to = step.to(&fields.to, from.as_slice(), report);
    let secret = step.secret(fields.secret.as_ref(), ServerKind::Radius, report);
    let timeout = seconds(fields.timeout, TIMEOUT, report);
    let max_transmissions =
        number(fields.max_transmissions, MAX_TRANSMISSIONS, "max_transmissions", report);
    Some(StepAction::Radius(RadiusRequest {
        from: from?,
        to: to?,
        secret: secret?,
        question,
        timeout,
        max_transmissions,
    }))
}
