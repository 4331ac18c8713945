//! What servers of any service answer, and what is sent to them.

use labsim_yaml::{FromYaml, Scalar, short_forms};
use schemars::JsonSchema;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Bytes that are sent or have to arrive: a text, or a number of bytes with a pattern by which a
/// missing, repeated or moved one shows.
#[derive(Debug, Clone, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(try_from = "Scalar")]
#[schemars(with = "Scalar", inline)]
pub enum Payload {
    /// So many bytes: 0 to 250, over and over.
    Bytes(u32),
    /// This text, without a line end.
    Text(String),
}

/// A whole number is a number of bytes, anything else a text.
impl TryFrom<Scalar> for Payload {
    type Error = String;

    fn try_from(Scalar(text): Scalar) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Text(text));
        }
        let bytes = text.parse().map_err(|_| format!("{text} bytes are too many"))?;
        Ok(Self::Bytes(bytes))
    }
}

/// The pattern repeats after so many bytes, which is no divisor of a segment's usual sizes.
const PERIOD: usize = 251;

impl Payload {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::from(*bytes),
            Self::Text(text) => text.len() as u64,
        }
    }

    /// Whether it has no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `1 byte`, `100 bytes`.
    #[must_use]
    pub fn size(&self) -> String {
        crate::count_of(usize::try_from(self.len()).unwrap_or(usize::MAX), "byte")
    }

    /// Appends at most `most` of its bytes from `offset` on to `out`.
    pub fn write(&self, offset: u64, most: usize, out: &mut Vec<u8>) {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(most);
        match self {
            Self::Bytes(_) => {
                let first = (offset % PERIOD as u64) as usize;
                out.extend((first..first + length).map(|at| (at % PERIOD) as u8));
            }
            Self::Text(text) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                out.extend(text.as_bytes().iter().skip(start).take(length));
            }
        }
    }

    /// All of its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.write(0, usize::MAX, &mut all);
        all
    }

    /// The place of the first byte of `came`, which begins at `offset`, that is not the payload's.
    #[must_use]
    pub fn differs(&self, offset: u64, came: &[u8]) -> Option<u64> {
        let mut own = Vec::with_capacity(came.len());
        self.write(offset, came.len(), &mut own);
        let other = came.iter().zip(&own).position(|(came, own)| came != own);
        let place = other.or((came.len() > own.len()).then_some(own.len()))?;
        Some(offset + place as u64)
    }
}

/// Who ends a TCP connection, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// The client, with FIN.
    #[default]
    Fin,
    /// The client, with RST.
    Reset,
    /// The server, with FIN; the client waits for it.
    Server,
}

/// A type of DNS record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordType {
    /// An IPv4 address.
    #[default]
    A,
    /// An IPv6 address.
    Aaaa,
}

impl RecordType {
    /// As RFC 1035 and RFC 3596 write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// What a TCP server does with what it gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = short_forms::<Self>)]
pub enum TcpForm {
    /// Every byte is sent back.
    #[default]
    Echo,
    /// It takes everything and answers nothing.
    Discard,
    /// It answers with bytes of its own.
    Bytes(BytesAnswer),
    /// HTTP/1.1 (RFC 9112).
    #[yaml(bare)]
    Http(HttpAnswer),
}

/// Bytes that a server answers with.
#[derive(Debug, Clone, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BytesAnswer {
    /// So many bytes arrive before each answer; 1 by default. With 0 it answers once, when the
    /// connection is made, as a greeting.
    pub request: u32,
    /// What it sends: a text, or a number of bytes.
    pub answer: Payload,
    /// Whether it closes the connection after its first answer; `false` by default.
    pub close: bool,
}

impl Default for BytesAnswer {
    fn default() -> Self {
        Self { request: 1, answer: Payload::Bytes(1), close: false }
    }
}

/// What an HTTP server answers to every request that it can read.
#[derive(Debug, Clone, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpAnswer {
    /// The status; 200 by default.
    pub status: u16,
    /// The body: a text, or a number of bytes; by default the name of the server's node.
    pub body: Option<Payload>,
    /// The only `Host` that it serves; it answers 404 to any other. By default it serves all.
    pub host: Option<String>,
}

impl Default for HttpAnswer {
    fn default() -> Self {
        Self { status: 200, body: None, host: None }
    }
}

/// What a UDP server does with what it gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UdpForm {
    /// Every datagram is sent back.
    #[default]
    Echo,
    /// It takes everything and answers nothing.
    Discard,
    /// Syslog (RFC 5426): it logs each message and answers nothing.
    Syslog,
    /// DNS (RFC 1035): the addresses of each name; other names do not exist.
    Dns(BTreeMap<String, Addresses>),
}

/// One address, or a list.
#[derive(Debug, Clone, PartialEq, Eq, FromYaml, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Addresses {
    /// One.
    One(String),
    /// Several.
    List(Vec<String>),
}

impl Addresses {
    /// Each of them.
    ///
    /// # Errors
    /// The first that is not an address.
    pub fn parse(&self) -> Result<Vec<IpAddr>, String> {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::List(list) => list.as_slice(),
        };
        texts.iter().map(|text| text.parse().map_err(|_| text.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Payload;

    #[test]
    fn a_pattern_shows_where_a_byte_is_missing_repeated_or_too_many() {
        let payload = Payload::Bytes(1000);
        let bytes = payload.bytes();
        assert_eq!((bytes.len(), bytes[0], bytes[250], bytes[251]), (1000, 0, 250, 0));
        assert_eq!(payload.differs(0, &bytes), None);
        assert_eq!(payload.differs(300, &bytes[300..400]), None);
        assert_eq!(payload.differs(300, &bytes[301..400]), Some(300));
        assert_eq!(payload.differs(990, &[bytes[990]; 2]), Some(991));
        assert_eq!(payload.differs(0, &[bytes.as_slice(), &[0]].concat()), Some(1000));
    }

    #[test]
    fn a_text_is_its_bytes() {
        let payload = Payload::Text("<13>é".to_owned());
        assert_eq!((payload.len(), payload.size().as_str()), (6, "6 bytes"));
        assert_eq!(payload.bytes(), "<13>é".as_bytes());
        assert_eq!(payload.differs(1, b"13>"), None);
        assert_eq!(payload.differs(0, b"<14>"), Some(2));
    }
}
