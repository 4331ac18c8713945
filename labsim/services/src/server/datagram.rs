//! What a server answers to a datagram.

use super::entry;
use crate::{dns, syslog};
use labsim_model::server_log::{LogEntry, LogKind, LogOutcome};
use labsim_model::{UdpForm, count_of};
use std::net::SocketAddr;

/// A datagram's answer, if it has one, and the line of the log about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Bytes to send back.
    pub reply: Option<Vec<u8>>,
    /// The line.
    pub log: LogEntry,
}

/// Answers a datagram from `peer` that was sent to `local`.
#[must_use]
pub fn answer_datagram(
    form: &UdpForm,
    bytes: &[u8],
    (peer, local): (SocketAddr, SocketAddr),
) -> Answer {
    let size = count_of(bytes.len(), "byte");
    let (reply, how, detail) = match form {
        UdpForm::Echo => (Some(bytes.to_vec()), PASS, format!("{size}, sent back")),
        UdpForm::Discard => (None, PASS, size),
        UdpForm::Syslog => match syslog::priority(bytes) {
            Some(priority) => (None, PASS, format!("syslog message, {priority}, {size}")),
            None => (None, DISCARDED, "syslog message without a priority".to_owned()),
        },
        UdpForm::Dns(names) => match dns::read_query(bytes) {
            Ok(query) => {
                let known = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(&query.name));
                let addresses = known.map(|(_, all)| all.parse().unwrap_or_default());
                let code = match &addresses {
                    Some(_) => dns::ResponseCode::NOERROR,
                    None => dns::ResponseCode::NXDOMAIN,
                };
                let reply = dns::write_response(&query, code, &addresses.unwrap_or_default());
                let detail = format!("{} of {}: {code}", query.record.name(), query.name);
                (Some(reply), PASS, detail)
            }
            Err(error) => {
                let code = match error {
                    dns::DnsError::Question => dns::ResponseCode::NOTIMP,
                    _ => dns::ResponseCode::FORMERR,
                };
                let reply = dns::write_error(bytes, code);
                let outcome = if reply.is_some() { ERROR } else { DISCARDED };
                (reply, outcome, error.to_string())
            }
        },
    };
    Answer { reply, log: entry((peer, local), how, &detail) }
}

const PASS: (LogKind, LogOutcome) = (LogKind::Request, LogOutcome::Pass);
const ERROR: (LogKind, LogOutcome) = (LogKind::Request, LogOutcome::Error);
const DISCARDED: (LogKind, LogOutcome) = (LogKind::Request, LogOutcome::Discarded);

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_model::{Addresses, RecordType};
    use std::collections::BTreeMap;

    fn answer(form: &UdpForm, bytes: &[u8]) -> (Option<Vec<u8>>, String) {
        let ends = ("192.0.2.1:1024".parse().unwrap(), "192.0.2.2:53".parse().unwrap());
        let Answer { reply, log } = answer_datagram(form, bytes, ends);
        assert_eq!((log.client, log.local), ends);
        (reply, format!("{} {}: {}", log.kind, log.outcome, log.detail))
    }

    #[test]
    fn each_form_answers_and_logs_in_its_own_way() {
        let (reply, log) = answer(&UdpForm::Echo, b"abc");
        assert_eq!(
            (reply.as_deref(), log.as_str()),
            (Some(b"abc".as_slice()), "request PASS: 3 bytes, sent back")
        );
        assert_eq!(answer(&UdpForm::Discard, b"a"), (None, "request PASS: 1 byte".to_owned()));
        let (reply, log) = answer(&UdpForm::Syslog, b"<134>hello");
        assert_eq!(reply, None);
        assert_eq!(log, "request PASS: syslog message, facility 16, severity 6, 10 bytes");
        let (reply, log) = answer(&UdpForm::Syslog, b"hello");
        assert_eq!((reply, log.starts_with("request discarded")), (None, true), "{log}");
    }

    #[test]
    fn a_name_is_answered_with_its_addresses_and_another_does_not_exist() {
        let address = Addresses::One("192.0.2.80".to_owned());
        let form = UdpForm::Dns(BTreeMap::from([("WWW.example.org".to_owned(), address)]));
        let asked = |name: &str, record| {
            let (id, recursion) = (7, false);
            let query = dns::Query { id, name: name.to_owned(), record, recursion };
            let (reply, log) = answer(&form, &dns::write_query(&query).unwrap());
            (dns::read_response(&reply.unwrap()).unwrap(), log)
        };
        let (found, log) = asked("www.example.org", RecordType::A);
        assert_eq!(found.addresses.len(), 1);
        assert_eq!(log, "request PASS: A of www.example.org: NOERROR");
        let (of_other_type, _) = asked("www.example.org", RecordType::Aaaa);
        assert_eq!(
            (of_other_type.code, of_other_type.addresses.len()),
            (dns::ResponseCode::NOERROR, 0)
        );
        assert_eq!(asked("example.org", RecordType::A).0.code, dns::ResponseCode::NXDOMAIN);
        let (reply, log) = answer(&form, &[0; 12]);
        assert_eq!(reply.map(|reply| reply[3]), Some(4), "{log}");
        assert_eq!(answer(&form, b"abc").0, None);
    }
}
