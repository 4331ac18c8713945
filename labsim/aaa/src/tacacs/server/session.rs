//! The server's sessions: what it answers to each message, and what it writes down.

use super::Server;
use crate::Secret;
use crate::chap;
use crate::log::{Kind, MAX_DETAIL, Outcome};
use crate::secret::same;
use crate::tacacs::accounting::{self, Record};
use crate::tacacs::authentication::{Continue, Reply, Start};
use crate::tacacs::authorization;
use crate::tacacs::codes::{
    AcctStatus, Action, AuthenService, AuthenStatus, AuthenType, AuthorStatus, CONTINUE_FLAG_ABORT,
    PacketType, REPLY_FLAG_NOECHO,
};
use crate::tacacs::error::{BodyError, EncodeError};
use crate::tacacs::header::{Header, MinorVersion};
use crate::tacacs::packet::{Opened, seal};

/// How often an ASCII login is asked for its user (RFC 8907, section 5.4.2.1, recommends three).
const USER_ATTEMPTS: u8 = 3;

/// An ASCII login that waits for the client's CONTINUE.
#[derive(Debug, Clone)]
pub(super) enum Waiting {
    ForUser { asked: u8 },
    ForPassword { user: String },
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

    pub(super) fn seal(&self, header: Header, secret: &Secret) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Authentication(reply) => seal(header, reply, secret),
            Self::Authorization(reply) => seal(header, reply, secret),
            Self::Accounting(reply) => seal(header, reply, secret),
        }
    }
}

/// What becomes of a session with a packet.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    /// The server asks, and the session goes on.
    Ask(Reply, Waiting),
    /// The session is over: the last reply, if one is due, and what is written down.
    End(Option<Answer>, Note),
}

/// What is written down about a session.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) kind: Kind,
    pub(super) user: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
}

/// A session's first packet.
pub(super) fn begin(server: &Server, packet: &Opened) -> Result<Turn, BodyError> {
    Ok(match packet.header.kind {
        PacketType::Authentication => start(server, packet.header.minor, packet.read()?),
        PacketType::Authorization => authorize(server, &packet.read()?),
        PacketType::Accounting => account(&packet.read()?),
    })
}

fn authenticated(user: &str, status: AuthenStatus, detail: &str, message: &str) -> Turn {
    let outcome = match status {
        AuthenStatus::Pass => Outcome::Pass,
        AuthenStatus::Fail => Outcome::Fail,
        _ => Outcome::Error,
    };
    let user = Some(user.to_owned());
    let note = Note { kind: Kind::Authentication, user, outcome, detail: detail.to_owned() };
    Turn::End(Some(Answer::Authentication(Reply::new(status, message))), note)
}

fn start(server: &Server, minor: MinorVersion, start: Start) -> Turn {
    let user = start.user.as_str();
    let verdict = |right: bool, detail: &str| {
        let status = if right { AuthenStatus::Pass } else { AuthenStatus::Fail };
        authenticated(user, status, detail, "")
    };
    if start.action != Action::Login || start.service == AuthenService::Enable {
        let detail = "only logins are offered";
        return authenticated(user, AuthenStatus::Fail, detail, detail);
    }
    match (start.authen_type, minor) {
        (AuthenType::Ascii, MinorVersion::Default) if start.user.is_empty() => ask_user(1),
        (AuthenType::Ascii, MinorVersion::Default) => ask_password(start.user),
        (AuthenType::Pap, MinorVersion::One) => {
            verdict(server.password_is(user, |password| *password == start.data), "PAP login")
        }
        (AuthenType::Chap, MinorVersion::One) => match chap(&start.data) {
            Some(login) => verdict(server.password_is(user, |p| login.is_of(p)), "CHAP login"),
            None => verdict(false, "CHAP login with a challenge below 8 bytes"),
        },
        (AuthenType::Ascii | AuthenType::Pap | AuthenType::Chap, _) => {
            let detail = "the packet's minor version does not go with its login type";
            authenticated(user, AuthenStatus::Error, detail, detail)
        }
        // Section 5.4.2: what a server does not implement is answered with FAIL.
        _ => {
            let detail = "only ASCII, PAP and CHAP logins are offered";
            authenticated(user, AuthenStatus::Fail, detail, detail)
        }
    }
}

fn ask_user(asked: u8) -> Turn {
    Turn::Ask(Reply::new(AuthenStatus::GetUser, "Username: "), Waiting::ForUser { asked })
}

fn ask_password(user: String) -> Turn {
    let mut reply = Reply::new(AuthenStatus::GetPass, "Password: ");
    reply.flags = REPLY_FLAG_NOECHO;
    Turn::Ask(reply, Waiting::ForPassword { user })
}

/// A later packet of an ASCII login.
pub(super) fn go_on(server: &Server, waiting: Waiting, packet: &Opened) -> Result<Turn, BodyError> {
    let message: Continue = packet.read()?;
    let user = match &waiting {
        Waiting::ForUser { .. } => None,
        Waiting::ForPassword { user } => Some(user.clone()),
    };
    if message.flags & CONTINUE_FLAG_ABORT != 0 {
        return Ok(Turn::End(None, abandoned(user, &String::from_utf8_lossy(&message.data))));
    }
    let answer = message.user_message;
    Ok(match waiting {
        Waiting::ForUser { asked } => match std::str::from_utf8(answer.expose()) {
            Ok("") if asked < USER_ATTEMPTS => ask_user(asked + 1),
            Ok("") => authenticated("", AuthenStatus::Fail, "ASCII login without a user", ""),
            Ok(user) if user.len() <= 255 => ask_password(user.to_owned()),
            _ => authenticated("", AuthenStatus::Fail, "ASCII login of a user that is no name", ""),
        },
        Waiting::ForPassword { user } => {
            let right = server.password_is(&user, |password| *password == answer);
            let status = if right { AuthenStatus::Pass } else { AuthenStatus::Fail };
            authenticated(&user, status, "ASCII login", "")
        }
    })
}

/// The client ended the session.
pub(super) fn abandoned(user: Option<String>, reason: &str) -> Note {
    let detail = if reason.is_empty() {
        "ASCII login that the client gave up".to_owned()
    } else {
        format!("ASCII login that the client gave up: {reason}")
    };
    Note { kind: Kind::Authentication, user, outcome: Outcome::Abandoned, detail }
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
        same(&chap::response(self.id, self.challenge, password), self.response)
    }
}

/// Whoever is known may do anything.
fn authorize(server: &Server, request: &authorization::Request) -> Turn {
    let known = server.users.contains_key(&request.origin.user);
    let (status, outcome) = if known {
        (AuthorStatus::PassAdd, Outcome::Pass)
    } else {
        (AuthorStatus::Fail, Outcome::Fail)
    };
    let user = Some(request.origin.user.clone());
    let detail = listed(&request.arguments);
    let note = Note { kind: Kind::Authorization, user, outcome, detail };
    Turn::End(Some(Answer::Authorization(authorization::Reply::new(status, ""))), note)
}

/// Every record is written down, whoever did it.
fn account(request: &accounting::Request) -> Turn {
    let (status, outcome, what) = match Record::from_flags(request.flags) {
        Some(record) => (AcctStatus::Success, Outcome::Pass, record.to_string()),
        None => (
            AcctStatus::Error,
            Outcome::Error,
            format!("the flags {:#04x} are none of start, stop and watchdog", request.flags),
        ),
    };
    let message = if outcome == Outcome::Error { what.as_str() } else { "" };
    let reply = accounting::Reply::new(status, message);
    let user = Some(request.origin.user.clone());
    let detail = format!("{what} {}", listed(&request.arguments)).trim_end().to_owned();
    Turn::End(
        Some(Answer::Accounting(reply)),
        Note { kind: Kind::Accounting, user, outcome, detail },
    )
}

/// Arguments in one line, no longer than the log keeps.
fn listed(arguments: &[String]) -> String {
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
