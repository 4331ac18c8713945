//! UDP as tcpdump words it, and what it says of RADIUS and DNS messages (`print-udp.c`, `print-radius.c`,
//! `print-domain.c`).

use super::cursor::Cursor;
use super::transport::is_end;
use crate::datagram::{Datagram, Message, fingerprint, radius};
use crate::packet::{Header, Port, Transport};
use labsim_wire::protocol;

/// A payload as it is worded: its length, and what is known of it.
type Payload = (u32, Option<Datagram>);

/// `is_part`: the datagram may go on in other fragments.
pub(super) fn udp(
    header: &Header,
    ports: (Port, Port),
    is_part: bool,
    cursor: &mut Cursor<'_>,
) -> Option<Transport> {
    if cursor.eat("[no cksum] ") || cursor.eat("[udp sum ok] ") {
    } else if cursor.rest.starts_with("[bad udp cksum ") {
        cursor.before("] ")?;
    }
    if cursor.eat("UDP, ") {
        // A datagram with a wrong length field is worded otherwise.
        let _ = cursor.eat("bad ");
        cursor.need("length ")?;
        let payload = Some(cursor.number()?);
        is_end(cursor)?;
        return Some(Transport::Udp { ports, payload, datagram: None });
    }
    let is_dns = ports.0 == Some(53) || ports.1 == Some(53);
    let worded = match cursor.rest.strip_prefix("RADIUS, ") {
        Some(message) => radius_message(message),
        None if is_dns => dns_message(cursor.rest),
        None => syslog(cursor.rest),
    };
    let is_udp = header.protocol == Some(protocol::UDP)
        || worded.is_some()
        || ["NTPv", "SIP, ", "BOOTP/DHCP, ", "VXLAN, "]
            .iter()
            .any(|word| cursor.rest.starts_with(word));
    // The IP header says how long the payload is, which was printed in place of its length.
    let lower = if header.source.is_ipv4() { 28 } else { 48 };
    let payload = header.length.and_then(|length| length.checked_sub(lower));
    let payload = payload.or(worded.map(|(length, _)| length));
    let mut datagram = worded.and_then(|(_, datagram)| datagram);
    if is_part {
        // Words count what the fragment has, and headers too.
        if let Some(datagram) = &mut datagram {
            datagram.fingerprint = None;
        }
        return is_udp.then_some(Transport::Udp { ports, payload: None, datagram });
    }
    is_udp.then_some(Transport::Udp { ports, payload, datagram })
}

/// `Access-Request (1), id: 0x17 length: 50`, or with `-v`
/// `length: 50 Access-Request (1), id: 0x17, Authenticator: 00112233445566778899aabbccddeeff`.
fn radius_message(text: &str) -> Option<Payload> {
    let mut cursor = Cursor::new(text);
    let length: Option<u32> = if cursor.eat("length: ") { Some(cursor.number()?) } else { None };
    cursor.before(" (")?;
    let code = cursor.number()?;
    cursor.need("), id: ")?;
    let identifier = u8::try_from(cursor.hex()?).ok()?;
    let length = match length {
        Some(length) => length,
        None => {
            cursor.need(" length: ")?;
            cursor.number()?
        }
    };
    is_end(&cursor)?;
    let mut beginning = vec![code, identifier];
    beginning.extend(u16::try_from(length).ok()?.to_be_bytes());
    let whole = cursor.eat(", Authenticator: ").then(|| authenticator(&mut cursor)).flatten();
    let fingerprint = whole.map(|rest| {
        beginning.extend(rest);
        fingerprint(&beginning, length)
    });
    let message = radius(code, identifier);
    Some((length, Some(Datagram { fingerprint, message })))
}

/// 16 bytes in hexadecimal digits.
fn authenticator(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let digits = cursor.run(|it| it.is_ascii_hexdigit())?;
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (digits.len() == 32).then(|| (0..32).step_by(2).map(pair).collect())?
}

/// `4660+ A? www.example.org. (33)`, `4660* 1/0/0 A 203.0.113.5 (49)`: an answer has the numbers of its records.
fn dns_message(text: &str) -> Option<Payload> {
    let mut cursor = Cursor::new(text);
    let identifier = cursor.number()?;
    let (words, last) = cursor.rest.rsplit_once(" (")?;
    let (length, _) = last.split_once(')')?;
    let length = length.parse().ok()?;
    let is_count = |word: &str| {
        let parts: Vec<&str> = word.split('/').collect();
        let is_number =
            |part: &&str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(is_number)
    };
    let is_reply = words.split([' ', ',']).any(is_count);
    if !is_reply && !words.contains("? ") {
        return None;
    }
    let message = Some(Message { is_reply, identifier });
    Some((length, Some(Datagram { fingerprint: None, message })))
}

/// `SYSLOG user.notice, length: 9`
fn syslog(text: &str) -> Option<Payload> {
    let mut cursor = Cursor::new(text.strip_prefix("SYSLOG")?);
    cursor.before("length: ")?;
    Some((cursor.number()?, None))
}
