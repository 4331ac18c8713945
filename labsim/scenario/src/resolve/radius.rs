//! RADIUS requests: logins, accounting records, Status-Server.

use super::Report;
use super::radius_servers::{LONG, PASSWORD, USER};
use super::steps::{Asker, ServerKind, number, seconds};
use crate::file::{
    AccountingRecordWord, RadiusAccountingFields, RadiusLoginFields, RadiusMethodWord,
    RadiusStatusFields,
};
use crate::model::{
    AccountingRecord, LoginMethod, RadiusQuestion, RadiusRequest, Secret, StepAction,
};
use labsim_yaml::Located;

/// Seconds until a request is sent again.
const TIMEOUT: u64 = 1;
/// How often a request is sent: usually, and at most.
const TRIES: (u32, u32) = (3, 100);

/// Resolves an Access-Request.
pub(super) fn login(
    fields: &RadiusLoginFields,
    asker: &Asker<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    report.plain(&fields.user, "user name", USER);
    report.plain(&fields.password, "password", PASSWORD);
    let question = RadiusQuestion::Login {
        method: match fields.method {
            RadiusMethodWord::Pap => LoginMethod::Pap,
            RadiusMethodWord::Chap => LoginMethod::Chap,
        },
        user: fields.user.value.clone(),
        password: Secret::new(fields.password.value.clone()),
        message_authenticator: fields.message_authenticator.unwrap_or(true),
    };
    let envelope = Envelope {
        from: &fields.from,
        to: &fields.to,
        secret: fields.secret.as_ref(),
        timeout: fields.timeout,
        tries: fields.tries,
    };
    envelope.around(question, asker, report)
}

/// Resolves an Accounting-Request.
pub(super) fn accounting(
    fields: &RadiusAccountingFields,
    asker: &Asker<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    report.plain(&fields.user, "user name", USER);
    report.plain(&fields.session, "session", USER);
    if let Some(class) = &fields.class {
        report.plain(class, "class", LONG);
    }
    let question = RadiusQuestion::Accounting {
        record: match fields.record {
            AccountingRecordWord::Start => AccountingRecord::Start,
            AccountingRecordWord::Stop => AccountingRecord::Stop,
        },
        user: fields.user.value.clone(),
        session: fields.session.value.clone(),
        class: fields.class.as_ref().map(|class| class.value.clone()).unwrap_or_default(),
    };
    let envelope = Envelope {
        from: &fields.from,
        to: &fields.to,
        secret: fields.secret.as_ref(),
        timeout: fields.timeout,
        tries: fields.tries,
    };
    envelope.around(question, asker, report)
}

/// Resolves a Status-Server request.
pub(super) fn status(
    fields: &RadiusStatusFields,
    asker: &Asker<'_>,
    report: &mut Report<'_>,
) -> Option<StepAction> {
    let envelope = Envelope {
        from: &fields.from,
        to: &fields.to,
        secret: fields.secret.as_ref(),
        timeout: fields.timeout,
        tries: fields.tries,
    };
    envelope.around(RadiusQuestion::Status, asker, report)
}

/// What all requests have.
struct Envelope<'a> {
    from: &'a Located<String>,
    to: &'a Located<String>,
    secret: Option<&'a Located<String>>,
    timeout: Option<Located<f64>>,
    tries: Option<Located<u32>>,
}

impl Envelope<'_> {
    fn around(
        self,
        question: RadiusQuestion,
        asker: &Asker<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let from = asker.lookup.node(self.from, report);
        let to = asker.to(self.to, from.as_slice(), report);
        let secret = asker.secret(self.secret, ServerKind::Radius, report);
        let timeout = seconds(self.timeout, TIMEOUT, report);
        let tries = number(self.tries, TRIES, "tries", report);
        Some(StepAction::Radius(RadiusRequest {
            from: from?,
            to: to?,
            secret: secret?,
            question,
            timeout,
            tries,
        }))
    }
}
