//! What a record is about: Acct-Status-Type (RFC 2866, section 5.1).

use std::fmt;

/// The kinds of record that labsim sends and writes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcctStatusType {
    /// A session begins.
    Start,
    /// A session ends.
    Stop,
    /// A session goes on, with new values.
    Interim,
    /// The client came up.
    On,
    /// The client goes down.
    Off,
}

impl AcctStatusType {
    /// The record of a number; `None` for one that means none of these.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Start),
            2 => Some(Self::Stop),
            3 => Some(Self::Interim),
            7 => Some(Self::On),
            8 => Some(Self::Off),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Start => 1,
            Self::Stop => 2,
            Self::Interim => 3,
            Self::On => 7,
            Self::Off => 8,
        }
    }
}

impl fmt::Display for AcctStatusType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Interim => "interim",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}
