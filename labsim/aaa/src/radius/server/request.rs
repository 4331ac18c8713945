//! How the server decides a genuine request, and what it logs.

use super::Server;
use crate::Secret;
use crate::access;
use crate::chap;
use crate::log::{LogKind, LogOutcome, OneLine};
use crate::radius::accounting::AcctStatusType;
use crate::radius::attribute::{Attribute, AttributeType};
use crate::radius::code::Code;
use crate::radius::packet::Packet;
use crate::radius::password;
use labsim_model::constant_time_eq;

/// The server's decision about a request.
pub(super) struct Decision {
    /// The answer's code; none if the request is dropped.
    pub(super) reply: Option<Code>,
    pub(super) kind: LogKind,
    pub(super) outcome: LogOutcome,
    pub(super) detail: String,
}

impl Decision {
    pub(super) fn discard(kind: LogKind, detail: impl Into<String>) -> Self {
        Self { reply: None, kind, outcome: LogOutcome::Discarded, detail: detail.into() }
    }

    fn access(granted: bool, detail: &str) -> Self {
        let (reply, outcome) = if granted {
            (Code::AccessAccept, LogOutcome::Pass)
        } else {
            (Code::AccessReject, LogOutcome::Fail)
        };
        let (kind, detail) = (LogKind::Authentication, detail.to_owned());
        Self { reply: Some(reply), kind, outcome, detail }
    }
}

/// What a request is about, as far as its code tells.
pub(super) fn log_kind(code: Code) -> LogKind {
    match code {
        Code::AccessRequest => LogKind::Authentication,
        Code::AccountingRequest => LogKind::Accounting,
        Code::StatusServer => LogKind::Status,
        _ => LogKind::ProtocolError,
    }
}

/// A login (RFC 2865, section 4.1).
pub(super) fn decide_access(server: &Server, secret: &Secret, request: &Packet) -> Decision {
    let Some(user) = request.first(AttributeType::USER_NAME) else {
        return Decision::access(false, "the request names no user");
    };
    let password = request.first(AttributeType::USER_PASSWORD);
    let chap = request.first(AttributeType::CHAP_PASSWORD);
    match (password, chap) {
        (Some(_), Some(_)) => Decision::access(false, "the request has a PAP and a CHAP password"),
        (None, None) => {
            Decision::access(false, "the request has neither a PAP nor a CHAP password")
        }
        (Some(hidden), None) => check_pap(server, secret, request, &user.as_text(), hidden),
        (None, Some(response)) => check_chap(server, request, &user.as_text(), response),
    }
}

fn check_pap(
    server: &Server,
    secret: &Secret,
    request: &Packet,
    user: &str,
    hidden: &Attribute,
) -> Decision {
    let Some(given) = password::reveal(hidden.value(), secret, request.authenticator) else {
        return Decision::access(false, "PAP login: the hidden password is not in whole blocks");
    };
    if access::check_password(&server.users, user, |password| *password == given) {
        return Decision::access(true, "PAP login");
    }
    // With another secret, what comes out is as good as random.
    let text = std::str::from_utf8(given.expose());
    if text.is_ok_and(|text| !text.contains(char::is_control)) {
        Decision::access(false, "PAP login")
    } else {
        let detail =
            "PAP login: the password is not text, so the shared secrets differ, most likely";
        Decision::access(false, detail)
    }
}

fn check_chap(server: &Server, request: &Packet, user: &str, response: &Attribute) -> Decision {
    let Some((&id, response)) = response.value().split_first().filter(|(_, r)| r.len() == 16)
    else {
        return Decision::access(false, "CHAP login: the response has not 16 bytes");
    };
    // RFC 2865, section 5.40: without CHAP-Challenge, the request authenticator is it.
    let challenge = request.first(AttributeType::CHAP_CHALLENGE);
    let challenge = challenge.map_or(request.authenticator.0.as_slice(), Attribute::value);
    let right = access::check_password(&server.users, user, |password| {
        constant_time_eq(&chap::response(id, challenge, password), response)
    });
    Decision::access(right, "CHAP login")
}

/// A record (RFC 2866, section 4.1). What cannot be written down is not answered.
pub(super) fn decide_accounting(request: &Packet) -> Decision {
    let kind = LogKind::Accounting;
    let number = request.first(AttributeType::ACCT_STATUS_TYPE).and_then(Attribute::as_integer);
    let Some(record) = number.and_then(AcctStatusType::from_number) else {
        return Decision::discard(kind, "the record has no known Acct-Status-Type");
    };
    let session = request.first(AttributeType::ACCT_SESSION_ID);
    let Some(session) = session.filter(|session| !session.value().is_empty()) else {
        return Decision::discard(kind, format!("{record}: the record has no Acct-Session-Id"));
    };
    let mut detail = format!("{record}, session `{}`", OneLine(&session.as_text()));
    for (kind, unit) in [
        (AttributeType::ACCT_SESSION_TIME, "s"),
        (AttributeType::ACCT_INPUT_OCTETS, "bytes in"),
        (AttributeType::ACCT_OUTPUT_OCTETS, "bytes out"),
    ] {
        if let Some(value) = request.first(kind).and_then(Attribute::as_integer) {
            detail.push_str(&format!(", {value} {unit}"));
        }
    }
    Decision { reply: Some(Code::AccountingResponse), kind, outcome: LogOutcome::Pass, detail }
}
