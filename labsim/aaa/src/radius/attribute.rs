//! Attributes: a type, a length, and a value of up to 253 bytes (RFC 2865, section 5).

use super::error::EncodeError;
use std::fmt;
use std::net::IpAddr;

/// Bytes of the longest value.
pub const MAX_VALUE: usize = 253;

/// An attribute's type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u8);

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $value:literal $text:literal;)+) => {
        impl AttributeType {
            $($(#[$doc])* pub const $name: Self = Self($value);)+

            /// The name that the RFCs give it, if it is one that labsim knows.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)+
                    _ => None,
                }
            }
        }
    };
}

types!(
    /// Who (RFC 2865, section 5.1).
    USER_NAME = 1 "User-Name";
    /// PAP's password, hidden (section 5.2).
    USER_PASSWORD = 2 "User-Password";
    /// CHAP's id and response (section 5.3).
    CHAP_PASSWORD = 3 "CHAP-Password";
    /// The client's IPv4 address (section 5.4).
    NAS_IP_ADDRESS = 4 "NAS-IP-Address";
    /// The port that the user is at (section 5.5).
    NAS_PORT = 5 "NAS-Port";
    /// What the user wants, or gets (section 5.6).
    SERVICE_TYPE = 6 "Service-Type";
    /// A text for the user (section 5.18).
    REPLY_MESSAGE = 18 "Reply-Message";
    /// Of a challenge, sent back as it came (section 5.24).
    STATE = 24 "State";
    /// Of the server, to go into records as it came (section 5.25).
    CLASS = 25 "Class";
    /// A vendor's own (section 5.26).
    VENDOR_SPECIFIC = 26 "Vendor-Specific";
    /// What the user called (section 5.30).
    CALLED_STATION_ID = 30 "Called-Station-Id";
    /// Where the user comes from (section 5.31).
    CALLING_STATION_ID = 31 "Calling-Station-Id";
    /// The client's name (section 5.32).
    NAS_IDENTIFIER = 32 "NAS-Identifier";
    /// Of a proxy, to be copied into the reply as it came (section 5.33).
    PROXY_STATE = 33 "Proxy-State";
    /// What a record is about (RFC 2866, section 5.1).
    ACCT_STATUS_TYPE = 40 "Acct-Status-Type";
    /// Seconds that the client has tried to send the record (RFC 2866, section 5.2).
    ACCT_DELAY_TIME = 41 "Acct-Delay-Time";
    /// Bytes from the user (RFC 2866, section 5.3).
    ACCT_INPUT_OCTETS = 42 "Acct-Input-Octets";
    /// Bytes to the user (RFC 2866, section 5.4).
    ACCT_OUTPUT_OCTETS = 43 "Acct-Output-Octets";
    /// What ties a session's records together (RFC 2866, section 5.5).
    ACCT_SESSION_ID = 44 "Acct-Session-Id";
    /// Seconds that the session has lasted (RFC 2866, section 5.7).
    ACCT_SESSION_TIME = 46 "Acct-Session-Time";
    /// Why the session ended (RFC 2866, section 5.10).
    ACCT_TERMINATE_CAUSE = 49 "Acct-Terminate-Cause";
    /// CHAP's challenge, if the request authenticator is not it (RFC 2865, section 5.40).
    CHAP_CHALLENGE = 60 "CHAP-Challenge";
    /// What kind of port the user is at (RFC 2865, section 5.41).
    NAS_PORT_TYPE = 61 "NAS-Port-Type";
    /// A piece of an EAP packet (RFC 3579, section 3.1).
    EAP_MESSAGE = 79 "EAP-Message";
    /// HMAC-MD5 over the packet (RFC 3579, section 3.2).
    MESSAGE_AUTHENTICATOR = 80 "Message-Authenticator";
    /// The client's IPv6 address (RFC 3162, section 2.1).
    NAS_IPV6_ADDRESS = 95 "NAS-IPv6-Address";
);

/// `User-Name`, or the number where labsim has no name.
impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One attribute. Its value fits a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    kind: AttributeType,
    value: Vec<u8>,
}

impl Attribute {
    /// Any attribute.
    ///
    /// # Errors
    /// [`EncodeError::Attribute`] for a value of more than [`MAX_VALUE`] bytes.
    pub fn new(kind: AttributeType, value: impl Into<Vec<u8>>) -> Result<Self, EncodeError> {
        let value = value.into();
        let length = value.len();
        if length > MAX_VALUE {
            return Err(EncodeError::Attribute { kind, length });
        }
        Ok(Self { kind, value })
    }

    /// A number of four bytes, such as Acct-Status-Type.
    #[must_use]
    pub fn integer(kind: AttributeType, value: u32) -> Self {
        Self { kind, value: value.to_be_bytes().to_vec() }
    }

    /// NAS-IP-Address or NAS-IPv6-Address.
    #[must_use]
    pub fn nas_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                Self { kind: AttributeType::NAS_IP_ADDRESS, value: address.octets().to_vec() }
            }
            IpAddr::V6(address) => {
                Self { kind: AttributeType::NAS_IPV6_ADDRESS, value: address.octets().to_vec() }
            }
        }
    }

    /// A value of sixteen bytes, such as Message-Authenticator.
    pub(super) fn digest(kind: AttributeType, value: [u8; 16]) -> Self {
        Self { kind, value: value.to_vec() }
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> AttributeType {
        self.kind
    }

    /// Its value, up to [`MAX_VALUE`] bytes, possibly none.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Its value as a number; `None` if it has not four bytes.
    #[must_use]
    pub fn as_integer(&self) -> Option<u32> {
        self.value.as_slice().try_into().ok().map(u32::from_be_bytes)
    }

    /// Its value as text. What is not UTF-8 is replaced.
    #[must_use]
    pub fn as_text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }

    /// Bytes that it has in a packet.
    pub(super) fn encoded_len(&self) -> usize {
        2 + self.value.len()
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        // The value's length is checked where it comes in.
        let length = u8::try_from(self.encoded_len()).unwrap_or(u8::MAX);
        into.extend_from_slice(&[self.kind.0, length]);
        into.extend_from_slice(&self.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_at_most_253_bytes() {
        assert!(Attribute::new(AttributeType::CLASS, [0; 253]).is_ok());
        assert_eq!(
            Attribute::new(AttributeType::CLASS, [0; 254]).unwrap_err().to_string(),
            "the attribute Class has 254 bytes, and RADIUS carries at most 253"
        );
    }

    #[test]
    fn an_address_has_the_attribute_of_its_family() {
        let nas = |address: &str| Attribute::nas_address(address.parse().unwrap());
        assert_eq!(nas("192.168.1.16").kind(), AttributeType::NAS_IP_ADDRESS);
        assert_eq!(nas("::ffff:192.168.1.16"), nas("192.168.1.16"));
        assert_eq!(nas("2001:db8::1").kind(), AttributeType::NAS_IPV6_ADDRESS);
        assert_eq!(nas("2001:db8::1").value().len(), 16);
    }

    #[test]
    fn only_four_bytes_are_a_number() {
        let value = |bytes: &[u8]| Attribute::new(AttributeType(40), bytes).unwrap().as_integer();
        assert_eq!(value(&[0, 0, 1, 2]), Some(258));
        assert_eq!(value(&[0, 1, 2]), None);
        assert_eq!(value(&[]), None);
    }
}
