//! The server's sessions: the reply to each message, and what is logged.

use super::{Server, Service};
use crate::Secret;
use crate::chap;
use crate::log::{LogKind, LogOutcome, MAX_DETAIL};
use crate::tacacs::accounting::{self, RecordKind};
use crate::tacacs::authentication::{Continue, Reply, Start};
use crate::tacacs::authorization;
use crate::tacacs::codes::{
    AcctStatus, Action, AuthenService, AuthenStatus, AuthenType, AuthorStatus, CONTINUE_FLAG_ABORT,
    PacketType, REPLY_FLAG_NOECHO,
};
use crate::tacacs::error::{BodyError, EncodeError};
use crate::tacacs::header::{Header, MinorVersion};
use crate::tacacs::packet::{DecryptedPacket, encrypt};
use labsim_model::constant_time_eq;

/// How often an ASCII login is asked for its user (RFC 8907, section 5.4.2.1, recommends three).
const USER_ATTEMPTS: u8 = 3;

/// An ASCII login that waits for the client's CONTINUE.
#[derive(Debug, Clone)]
pub(super) enum AwaitedInput {
    User { asked: u8 },
    Password { user: String },
}

/// A reply of any type.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Authentication(Reply),
    Authorization(authorization::Reply),
    Accounting(accounting::Reply),
}

impl Answer {
    /// ERROR, in the manner of the packet's type.
    pub(super) fn error(kind: PacketType, message: &str) -> Self {
        match kind {
            PacketType::Authentication => {
                Self::Authentication(Reply::new(AuthenStatus::Error, message))
            }
            PacketType::Authorization => {
                Self::Authorization(authorization::Reply::new(AuthorStatus::Error, message))
            }
            PacketType::Accounting => {
                Self::Accounting(accounting::Reply::new(AcctStatus::Error, message))
            }
        }
    }

    pub(super) fn encrypt(&self, header: Header, secret: &Secret) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Authentication(reply) => encrypt(header, reply, secret),
            Self::Authorization(reply) => encrypt(header, reply, secret),
            Self::Accounting(reply) => encrypt(header, reply, secret),
        }
    }
}

/// What becomes of a session with a packet.
#[derive(Debug, Clone)]
pub(super) enum NextStep {
    /// The server asks, and the session goes on.
    Ask(Reply, AwaitedInput),
    /// The session is over: the last reply, if one is due, and what is written down.
    End(Option<Answer>, LogRecord),
}

/// What is logged about a session.
#[derive(Debug, Clone)]
pub(super) struct LogRecord {
    pub(super) kind: LogKind,
    pub(super) user: Option<String>,
    pub(super) outcome: LogOutcome,
    pub(super) detail: String,
}

/// A session's first packet.
pub(super) fn start_session(
    server: &Server,
    packet: &DecryptedPacket,
) -> Result<NextStep, BodyError> {
    Ok(match packet.header.kind {
        PacketType::Authentication => authenticate(server, packet.header.minor, packet.decode()?),
        PacketType::Authorization => authorize(server, &packet.decode()?),
        PacketType::Accounting => account(&packet.decode()?),
    })
}

fn authentication_result(
    user: &str,
    status: AuthenStatus,
    detail: &str,
    message: &str,
) -> NextStep {
    let outcome = match status {
        AuthenStatus::Pass => LogOutcome::Pass,
        AuthenStatus::Fail => LogOutcome::Fail,
        _ => LogOutcome::Error,
    };
    let user = Some(user.to_owned());
    let note =
        LogRecord { kind: LogKind::Authentication, user, outcome, detail: detail.to_owned() };
    NextStep::End(Some(Answer::Authentication(Reply::new(status, message))), note)
}

fn authenticate(server: &Server, minor: MinorVersion, start: Start) -> NextStep {
    let user = start.user.as_str();
    let verdict = |right: bool, detail: &str| {
        let status = if right { AuthenStatus::Pass } else { AuthenStatus::Fail };
        authentication_result(user, status, detail, "")
    };
    if start.action != Action::Login || start.service == AuthenService::Enable {
        let detail = "only logins are offered";
        return authentication_result(user, AuthenStatus::Fail, detail, detail);
    }
    match (start.authen_type, minor) {
        (AuthenType::Ascii, MinorVersion::Default) if start.user.is_empty() => ask_user(1),
        (AuthenType::Ascii, MinorVersion::Default) => ask_password(start.user),
        (AuthenType::Pap, MinorVersion::One) => {
            verdict(server.check_password(user, |password| *password == start.data), "PAP login")
        }
        (AuthenType::Chap, MinorVersion::One) => match chap(&start.data) {
            Some(login) => verdict(server.check_password(user, |p| login.is_of(p)), "CHAP login"),
            None => verdict(false, "CHAP login with a challenge below 8 bytes"),
        },
        (AuthenType::Ascii | AuthenType::Pap | AuthenType::Chap, _) => {
            let detail = "the packet's minor version does not go with its login type";
            authentication_result(user, AuthenStatus::Error, detail, detail)
        }
        // Section 5.4.2: what a server does not implement is answered with FAIL.
        _ => {
            let detail = "only ASCII, PAP and CHAP logins are offered";
            authentication_result(user, AuthenStatus::Fail, detail, detail)
        }
    }
}

fn ask_user(asked: u8) -> NextStep {
    NextStep::Ask(Reply::new(AuthenStatus::GetUser, "Username: "), AwaitedInput::User { asked })
}

fn ask_password(user: String) -> NextStep {
    let mut reply = Reply::new(AuthenStatus::GetPass, "Password: ");
    reply.flags = REPLY_FLAG_NOECHO;
    NextStep::Ask(reply, AwaitedInput::Password { user })
}

/// A later packet of an ASCII login.
pub(super) fn continue_session(
    server: &Server,
    waiting: AwaitedInput,
    packet: &DecryptedPacket,
) -> Result<NextStep, BodyError> {
    let message: Continue = packet.decode()?;
    let user = match &waiting {
        AwaitedInput::User { .. } => None,
        AwaitedInput::Password { user } => Some(user.clone()),
    };
    if message.flags & CONTINUE_FLAG_ABORT != 0 {
        return Ok(NextStep::End(
            None,
            abandoned_login(user, &String::from_utf8_lossy(&message.data)),
        ));
    }
    let answer = message.user_message;
    Ok(match waiting {
        AwaitedInput::User { asked } => match std::str::from_utf8(answer.expose()) {
            Ok("") if asked < USER_ATTEMPTS => ask_user(asked + 1),
            Ok("") => {
                authentication_result("", AuthenStatus::Fail, "ASCII login without a user", "")
            }
            Ok(user) if user.len() <= 255 => ask_password(user.to_owned()),
            _ => authentication_result(
                "",
                AuthenStatus::Fail,
                "ASCII login of a user that is no name",
                "",
            ),
        },
        AwaitedInput::Password { user } => {
            let right = server.check_password(&user, |password| *password == answer);
            let status = if right { AuthenStatus::Pass } else { AuthenStatus::Fail };
            authentication_result(&user, status, "ASCII login", "")
        }
    })
}

/// The client ended the session.
pub(super) fn abandoned_login(user: Option<String>, reason: &str) -> LogRecord {
    let detail = if reason.is_empty() {
        "ASCII login that the client gave up".to_owned()
    } else {
        format!("ASCII login that the client gave up: {reason}")
    };
    LogRecord { kind: LogKind::Authentication, user, outcome: LogOutcome::Abandoned, detail }
}

/// A CHAP login's data in its parts (RFC 8907, section 5.4.2.3).
struct Chap<'a> {
    id: u8,
    challenge: &'a [u8],
    response: &'a [u8; 16],
}

fn chap(data: &Secret) -> Option<Chap<'_>> {
    let (&id, rest) = data.expose().split_first()?;
    let (challenge, response) = rest.split_last_chunk()?;
    (challenge.len() >= 8).then_some(Chap { id, challenge, response })
}

impl Chap<'_> {
    fn is_of(&self, password: &Secret) -> bool {
        constant_time_eq(&chap::response(self.id, self.challenge, password), self.response)
    }
}

/// A known user is authorized for the services of its entry, or for everything without one.
fn authorize(server: &Server, request: &authorization::Request) -> NextStep {
    let user = &request.origin.user;
    let granted = match server.services.get(user) {
        _ if !server.users.contains_key(user) => None,
        None => Some(Service::default()),
        Some(services) => service(&request.arguments).and_then(|name| services.get(name)).cloned(),
    };
    let (status, outcome) = match &granted {
        Some(Service { replace: true, .. }) => (AuthorStatus::PassReplace, LogOutcome::Pass),
        Some(_) => (AuthorStatus::PassAdd, LogOutcome::Pass),
        None => (AuthorStatus::Fail, LogOutcome::Fail),
    };
    let arguments = granted.unwrap_or_default().arguments;
    let user = Some(user.clone());
    let detail = join_arguments(&request.arguments);
    let note = LogRecord { kind: LogKind::Authorization, user, outcome, detail };
    let reply = authorization::Reply { arguments, ..authorization::Reply::new(status, "") };
    NextStep::End(Some(Answer::Authorization(reply)), note)
}

/// The value of the argument `service` (RFC 8907, section 8.2), mandatory or optional.
fn service(arguments: &[String]) -> Option<&str> {
    arguments.iter().find_map(|it| it.strip_prefix("service")?.strip_prefix(['=', '*']))
}

/// Every record is logged, for known and unknown users.
fn account(request: &accounting::Request) -> NextStep {
    let (status, outcome, what) = match RecordKind::from_flags(request.flags) {
        Some(record) => (AcctStatus::Success, LogOutcome::Pass, record.to_string()),
        None => (
            AcctStatus::Error,
            LogOutcome::Error,
            format!("the flags {:#04x} are none of start, stop and watchdog", request.flags),
        ),
    };
    let message = if outcome == LogOutcome::Error { what.as_str() } else { "" };
    let reply = accounting::Reply::new(status, message);
    let user = Some(request.origin.user.clone());
    let detail = format!("{what} {}", join_arguments(&request.arguments)).trim_end().to_owned();
    NextStep::End(
        Some(Answer::Accounting(reply)),
        LogRecord { kind: LogKind::Accounting, user, outcome, detail },
    )
}

/// Arguments in one line, no longer than the log keeps.
fn join_arguments(arguments: &[String]) -> String {
    let mut line = String::new();
    for argument in arguments {
        if line.len() > MAX_DETAIL {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(argument);
    }
    line
}
