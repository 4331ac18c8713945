//! DNS messages (RFC 1035, RFC 3596): a query for the addresses of one name, and its answer.

use labsim_model::RecordType;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most bytes of a message over UDP without extensions (RFC 1035, 2.3.4).
pub const MAX_MESSAGE: usize = 512;
/// Most addresses that fit into an answer with the longest name, of IPv6.
pub const MAX_ADDRESSES: usize = 7;
/// Longest name as text, without the final dot.
const MAX_NAME: usize = 253;
/// Longest part of a name.
const MAX_LABEL: usize = 63;
const HEADER: usize = 12;
/// Most jumps in a compressed name; each leads backwards, so there can be no loop either.
const MAX_JUMPS: usize = 16;
/// Most records of an answer that are read.
const MAX_RECORDS: u16 = 64;
const CLASS_IN: u16 = 1;
/// Seconds that an answer may be cached.
const TTL: u32 = 60;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// It ends too early.
    #[error("the message is cut off")]
    Short,
    /// It is a query in place of an answer, or the other way.
    #[error("the message is not of the expected kind")]
    Kind,
    /// Another question than one for an address.
    #[error("the question is not one for A or AAAA in class IN")]
    Question,
    /// A name that breaks the rules.
    #[error("a name in the message is not valid")]
    Name,
    /// Bytes after the end, or more records than are read.
    #[error("the message has more than was announced or can be read")]
    TooLong,
}

/// A question for one name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The message's identifier.
    pub id: u16,
    /// The name in lower case, without the final dot.
    pub name: String,
    /// What is asked for.
    pub record: RecordType,
    /// Whether recursion is desired.
    pub recursion: bool,
}

/// The result that a server gives (RFC 1035, 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseCode(pub u8);

impl ResponseCode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The server cannot read the query.
    pub const FORMERR: Self = Self(1);
    /// There is no such name.
    pub const NXDOMAIN: Self = Self(3);
    /// The server answers no such query.
    pub const NOTIMP: Self = Self(4);
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("NOERROR"),
            1 => f.write_str("FORMERR"),
            2 => f.write_str("SERVFAIL"),
            3 => f.write_str("NXDOMAIN"),
            4 => f.write_str("NOTIMP"),
            5 => f.write_str("REFUSED"),
            other => write!(f, "RCODE {other}"),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What was asked.
    pub query: Query,
    /// The result.
    pub code: ResponseCode,
    /// Whether it did not fit into a datagram.
    pub is_truncated: bool,
    /// The addresses, of any name in its answer section: an alias may lead to another.
    pub addresses: Vec<IpAddr>,
}

/// Whether a text can be asked for: up to 253 bytes, labels of 1 to 63 letters, digits, `-` and `_`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

/// Writes a query. The name has to be valid ([`is_name`]).
///
/// # Errors
/// The name is not valid.
pub fn write_query(query: &Query) -> Result<Vec<u8>, DnsError> {
    if !is_name(&query.name) {
        return Err(DnsError::Name);
    }
    let flags = if query.recursion { 0x0100 } else { 0 };
    Ok(message(query, flags, 0))
}

/// Writes the answer to a query: authoritative, with at most [`MAX_ADDRESSES`] addresses of the type that
/// was asked for.
#[must_use]
pub fn write_response(query: &Query, code: ResponseCode, addresses: &[IpAddr]) -> Vec<u8> {
    let mut records = Vec::new();
    let mut count = 0;
    for address in addresses.iter().take(MAX_ADDRESSES) {
        let data: &[u8] = match (query.record, address) {
            (RecordType::A, IpAddr::V4(address)) => &address.octets(),
            (RecordType::Aaaa, IpAddr::V6(address)) => &address.octets(),
            _ => continue,
        };
        count += 1;
        // The name of the question, by a pointer to it.
        records.extend([0xc0, HEADER as u8]);
        records.extend(number(query.record).to_be_bytes());
        records.extend(CLASS_IN.to_be_bytes());
        records.extend(TTL.to_be_bytes());
        records.extend((data.len() as u16).to_be_bytes());
        records.extend(data);
    }
    // QR, AA, and RD as it was.
    let flags = 0x8400 | if query.recursion { 0x0100 } else { 0 } | u16::from(code.0 & 0xf);
    let mut bytes = message(query, flags, count);
    bytes.extend(records);
    bytes
}

/// Writes an answer without a question, to a message that cannot be read as a query but begins as one.
#[must_use]
pub fn write_error(asked: &[u8], code: ResponseCode) -> Option<Vec<u8>> {
    let header = asked.get(..HEADER)?;
    let [first, second, flags, ..] = header else { return None };
    // Never an answer to an answer.
    if flags & 0x80 != 0 {
        return None;
    }
    let mut bytes = vec![*first, *second, 0x80 | (flags & 0x79), code.0 & 0xf];
    bytes.resize(HEADER, 0);
    Some(bytes)
}

fn message(query: &Query, flags: u16, answers: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_MESSAGE);
    for word in [query.id, flags, 1, answers, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    for label in query.name.split('.') {
        let label = label.as_bytes();
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(number(query.record).to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    bytes
}

const fn number(record: RecordType) -> u16 {
    match record {
        RecordType::A => 1,
        RecordType::Aaaa => 28,
    }
}

/// Reads a query. Records after its question, such as EDNS's (RFC 6891), are not looked at.
///
/// # Errors
/// It is no query for one name's addresses.
pub fn read_query(bytes: &[u8]) -> Result<Query, DnsError> {
    let mut reader = Reader { bytes, at: 0 };
    let (query, [flags, ..]) = reader.begin()?;
    // An answer, or another operation than a standard query.
    if flags & 0xf800 != 0 {
        return Err(DnsError::Kind);
    }
    Ok(query)
}

/// Reads an answer.
///
/// # Errors
/// It is none to a question for one name's addresses.
pub fn read_response(bytes: &[u8]) -> Result<Response, DnsError> {
    let mut reader = Reader { bytes, at: 0 };
    let (query, [flags, _, answers, ..]) = reader.begin()?;
    if flags & 0xf800 != 0x8000 {
        return Err(DnsError::Kind);
    }
    if answers > MAX_RECORDS {
        return Err(DnsError::TooLong);
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        reader.take(4)?; // its TTL
        let length = usize::from(reader.u16()?);
        let data = reader.take(length)?;
        if kind != number(query.record) || class != CLASS_IN {
            continue;
        }
        addresses.push(match query.record {
            RecordType::A => {
                let octets: [u8; 4] = data.try_into().map_err(|_| DnsError::Short)?;
                IpAddr::V4(Ipv4Addr::from(octets))
            }
            RecordType::Aaaa => {
                let octets: [u8; 16] = data.try_into().map_err(|_| DnsError::Short)?;
                IpAddr::V6(Ipv6Addr::from(octets))
            }
        });
    }
    let (code, is_truncated) = (ResponseCode((flags & 0xf) as u8), flags & 0x0200 != 0);
    Ok(Response { query, code, is_truncated, addresses })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DnsError> {
        let end = self.at.checked_add(length).ok_or(DnsError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(DnsError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, DnsError> {
        match self.take(2)? {
            [high, low] => Ok(u16::from_be_bytes([*high, *low])),
            _ => Err(DnsError::Short),
        }
    }

    /// The header's flags and numbers of records, and its one question.
    fn begin(&mut self) -> Result<(Query, [u16; 5]), DnsError> {
        if self.bytes.len() > MAX_MESSAGE {
            return Err(DnsError::TooLong);
        }
        let id = self.u16()?;
        let mut words = [0; 5];
        for word in &mut words {
            *word = self.u16()?;
        }
        let [flags, questions, ..] = words;
        if questions != 1 {
            return Err(DnsError::Question);
        }
        let name = self.name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let record = match (kind, class) {
            (1, CLASS_IN) => RecordType::A,
            (28, CLASS_IN) => RecordType::Aaaa,
            _ => return Err(DnsError::Question),
        };
        Ok((Query { id, name, record, recursion: flags & 0x0100 != 0 }, words))
    }

    /// A name, whose end may be elsewhere before it (RFC 1035, 4.1.4).
    fn name(&mut self) -> Result<String, DnsError> {
        let mut name = String::new();
        let (mut at, mut jumps, mut after) = (self.at, 0, None);
        loop {
            let length = *self.bytes.get(at).ok_or(DnsError::Short)?;
            match length {
                0 => break,
                1..=63 => {
                    let start = at + 1;
                    let end = start + usize::from(length);
                    let label = self.bytes.get(start..end).ok_or(DnsError::Short)?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    if !label.iter().all(u8::is_ascii_graphic) || label.contains(&b'.') {
                        return Err(DnsError::Name);
                    }
                    name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
                    if name.len() > MAX_NAME {
                        return Err(DnsError::Name);
                    }
                    at = end;
                }
                192..=255 => {
                    let low = *self.bytes.get(at + 1).ok_or(DnsError::Short)?;
                    let to = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    jumps += 1;
                    if to >= at || jumps > MAX_JUMPS {
                        return Err(DnsError::Name);
                    }
                    after.get_or_insert(at + 2);
                    at = to;
                }
                _ => return Err(DnsError::Name),
            }
        }
        self.at = after.unwrap_or(at + 1);
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(record: RecordType) -> Query {
        Query { id: 0x1234, name: "www.example.org".to_owned(), record, recursion: true }
    }

    #[test]
    fn a_query_has_the_bytes_of_rfc_1035() {
        let bytes = write_query(&query(RecordType::A)).unwrap();
        let expected = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01";
        assert_eq!(bytes, expected);
        assert_eq!(read_query(&bytes), Ok(query(RecordType::A)));
    }

    #[test]
    fn an_answer_holds_the_addresses_of_the_type_that_was_asked_for() {
        let all: Vec<IpAddr> =
            ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|text| text.parse().unwrap()).to_vec();
        for (record, addresses) in [(RecordType::A, &all[..2]), (RecordType::Aaaa, &all[2..])] {
            let bytes = write_response(&query(record), ResponseCode::NOERROR, &all);
            let read = read_response(&bytes).unwrap();
            assert_eq!((read.code, read.addresses.as_slice()), (ResponseCode::NOERROR, addresses));
            assert_eq!((read.query, read.is_truncated), (query(record), false));
        }
    }

    #[test]
    fn the_longest_name_with_the_most_addresses_fits_into_a_datagram() {
        let label = "a".repeat(61);
        let name = [label.as_str(); 4].join(".");
        let name = format!("{name}.abcde");
        assert!(is_name(&name) && name.len() == MAX_NAME, "{}", name.len());
        let query = Query { name, ..query(RecordType::Aaaa) };
        let addresses = [IpAddr::V6(Ipv6Addr::LOCALHOST); MAX_ADDRESSES];
        let bytes = write_response(&query, ResponseCode::NOERROR, &addresses);
        assert!(bytes.len() <= MAX_MESSAGE, "{}", bytes.len());
        assert_eq!(read_response(&bytes).unwrap().addresses, addresses);
    }

    #[test]
    fn an_answer_by_an_alias_is_read() {
        // www.example.org is an alias of www (a pointer into the middle), which has the address.
        let mut bytes = write_response(&query(RecordType::A), ResponseCode::NOERROR, &[]);
        bytes[7] = 2;
        bytes.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x10");
        bytes.extend(b"\xc0\x10\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07");
        let read = read_response(&bytes).unwrap();
        assert_eq!(read.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn what_is_cut_off_or_leads_nowhere_is_refused() {
        let addresses = ["192.0.2.1".parse().unwrap()];
        let bytes = write_response(&query(RecordType::A), ResponseCode::NOERROR, &addresses);
        for end in 0..bytes.len() {
            assert_eq!(read_response(&bytes[..end]), Err(DnsError::Short), "{end}");
        }
        let mut to_itself = write_query(&query(RecordType::A)).unwrap();
        to_itself[HEADER..HEADER + 2].copy_from_slice(&[0xc0, HEADER as u8]);
        assert_eq!(read_query(&to_itself), Err(DnsError::Name));
        assert_eq!(read_query(&bytes), Err(DnsError::Kind));
        assert_eq!(read_query(&[0; MAX_MESSAGE + 1]), Err(DnsError::TooLong));
        let mut other = write_query(&query(RecordType::A)).unwrap();
        let last = other.len() - 3;
        other[last] = 15; // MX
        assert_eq!(read_query(&other), Err(DnsError::Question));
        assert!(!is_name("") && !is_name("a..b") && !is_name(".") && !is_name(&"a".repeat(64)));
    }

    #[test]
    fn an_answer_is_never_answered() {
        let query = write_query(&query(RecordType::A)).unwrap();
        let error = write_error(&query, ResponseCode::NOTIMP).unwrap();
        assert_eq!((error.len(), &error[..4]), (HEADER, b"\x12\x34\x81\x04".as_slice()));
        assert_eq!(write_error(&error, ResponseCode::NOTIMP), None);
        assert_eq!(write_error(&query[..5], ResponseCode::NOTIMP), None);
    }
}
