//! What the server answers to a genuine request, and what it writes down.

use super::Server;
use crate::Secret;
use crate::access;
use crate::chap;
use crate::log::{Kind, OneLine, Outcome};
use crate::radius::accounting::Record;
use crate::radius::attribute::{Attribute, AttributeType};
use crate::radius::code::Code;
use crate::radius::packet::Packet;
use crate::radius::password;
use crate::secret::same;

/// What becomes of a request.
pub(super) struct Verdict {
    /// The answer's code; none if the request is dropped.
    pub(super) reply: Option<Code>,
    pub(super) kind: Kind,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

impl Verdict {
    pub(super) fn discard(kind: Kind, detail: impl Into<String>) -> Self {
        Self { reply: None, kind, outcome: Outcome::Discarded, detail: detail.into() }
    }

    fn access(granted: bool, detail: &str) -> Self {
        let (reply, outcome) = if granted {
            (Code::AccessAccept, Outcome::Pass)
        } else {
            (Code::AccessReject, Outcome::Fail)
        };
        let (kind, detail) = (Kind::Authentication, detail.to_owned());
        Self { reply: Some(reply), kind, outcome, detail }
    }
}

/// What a request is about, as far as its code tells.
pub(super) fn kind(code: Code) -> Kind {
    match code {
        Code::AccessRequest => Kind::Authentication,
        Code::AccountingRequest => Kind::Accounting,
        Code::StatusServer => Kind::Status,
        _ => Kind::ProtocolError,
    }
}

/// A login (RFC 2865, section 4.1).
pub(super) fn access(server: &Server, secret: &Secret, request: &Packet) -> Verdict {
    let Some(user) = request.first(AttributeType::USER_NAME) else {
        return Verdict::access(false, "the request names no user");
    };
    let password = request.first(AttributeType::USER_PASSWORD);
    let chap = request.first(AttributeType::CHAP_PASSWORD);
    match (password, chap) {
        (Some(_), Some(_)) => Verdict::access(false, "the request has a PAP and a CHAP password"),
        (None, None) => Verdict::access(false, "the request has neither a PAP nor a CHAP password"),
        (Some(hidden), None) => pap(server, secret, request, &user.as_text(), hidden),
        (None, Some(response)) => by_chap(server, request, &user.as_text(), response),
    }
}

fn pap(
    server: &Server,
    secret: &Secret,
    request: &Packet,
    user: &str,
    hidden: &Attribute,
) -> Verdict {
    let Some(given) = password::reveal(hidden.value(), secret, request.authenticator) else {
        return Verdict::access(false, "PAP login: the hidden password is not in whole blocks");
    };
    if access::password_is(&server.users, user, |password| *password == given) {
        return Verdict::access(true, "PAP login");
    }
    // With another secret, what comes out is as good as random.
    let text = std::str::from_utf8(given.expose());
    if text.is_ok_and(|text| !text.contains(char::is_control)) {
        Verdict::access(false, "PAP login")
    } else {
        let detail =
            "PAP login: the password is not text, so the shared secrets differ, most likely";
        Verdict::access(false, detail)
    }
}

fn by_chap(server: &Server, request: &Packet, user: &str, response: &Attribute) -> Verdict {
    let Some((&id, response)) = response.value().split_first().filter(|(_, r)| r.len() == 16)
    else {
        return Verdict::access(false, "CHAP login: the response has not 16 bytes");
    };
    // RFC 2865, section 5.40: without CHAP-Challenge, the request authenticator is it.
    let challenge = request.first(AttributeType::CHAP_CHALLENGE);
    let challenge = challenge.map_or(request.authenticator.0.as_slice(), Attribute::value);
    let right = access::password_is(&server.users, user, |password| {
        same(&chap::response(id, challenge, password), response)
    });
    Verdict::access(right, "CHAP login")
}

/// A record (RFC 2866, section 4.1). What cannot be written down is not answered.
pub(super) fn accounting(request: &Packet) -> Verdict {
    let kind = Kind::Accounting;
    let number = request.first(AttributeType::ACCT_STATUS_TYPE).and_then(Attribute::as_integer);
    let Some(record) = number.and_then(Record::from_number) else {
        return Verdict::discard(kind, "the record has no Acct-Status-Type that is known here");
    };
    let session = request.first(AttributeType::ACCT_SESSION_ID);
    let Some(session) = session.filter(|session| !session.value().is_empty()) else {
        return Verdict::discard(kind, format!("{record}: the record has no Acct-Session-Id"));
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
    Verdict { reply: Some(Code::AccountingResponse), kind, outcome: Outcome::Pass, detail }
}
