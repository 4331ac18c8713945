//! The packet's code: what kind of message it is (RFC 2865, section 4; RFC 2866; RFC 5997).

use std::fmt;

/// A packet's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A user wants in (1).
    AccessRequest,
    /// The user may (2); also the answer to Status-Server on the authentication port.
    AccessAccept,
    /// The user may not (3).
    AccessReject,
    /// A record for the books (4).
    AccountingRequest,
    /// The record is written down (5); also the answer to Status-Server on the accounting port.
    AccountingResponse,
    /// The server asks for more (11).
    AccessChallenge,
    /// Is the server alive? (12)
    StatusServer,
    /// Any other number.
    Other(u8),
}

impl From<u8> for Code {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::AccessRequest,
            2 => Self::AccessAccept,
            3 => Self::AccessReject,
            4 => Self::AccountingRequest,
            5 => Self::AccountingResponse,
            11 => Self::AccessChallenge,
            12 => Self::StatusServer,
            other => Self::Other(other),
        }
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        match code {
            Code::AccessRequest => 1,
            Code::AccessAccept => 2,
            Code::AccessReject => 3,
            Code::AccountingRequest => 4,
            Code::AccountingResponse => 5,
            Code::AccessChallenge => 11,
            Code::StatusServer => 12,
            Code::Other(value) => value,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AccessRequest => "Access-Request",
            Self::AccessAccept => "Access-Accept",
            Self::AccessReject => "Access-Reject",
            Self::AccountingRequest => "Accounting-Request",
            Self::AccountingResponse => "Accounting-Response",
            Self::AccessChallenge => "Access-Challenge",
            Self::StatusServer => "Status-Server",
            Self::Other(value) => return write!(f, "code {value}"),
        })
    }
}

/// Which of RADIUS's two services a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Logins; port 1812.
    Authentication,
    /// Records; port 1813.
    Accounting,
}

impl Service {
    /// Its assigned UDP port (RFC 2865, section 3; RFC 2866, section 3).
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Authentication => 1812,
            Self::Accounting => 1813,
        }
    }

    /// How its server says that it is alive (RFC 5997, section 2).
    #[must_use]
    pub fn status_response(self) -> Code {
        match self {
            Self::Authentication => Code::AccessAccept,
            Self::Accounting => Code::AccountingResponse,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Authentication => "authentication",
            Self::Accounting => "accounting",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_as_itself() {
        for value in 0..=u8::MAX {
            assert_eq!(u8::from(Code::from(value)), value);
        }
    }

    #[test]
    fn the_services_have_the_ports_of_the_rfcs() {
        assert_eq!(Service::Authentication.port(), 1812);
        assert_eq!(Service::Accounting.port(), 1813);
    }
}
