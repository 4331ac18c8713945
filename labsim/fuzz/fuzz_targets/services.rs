//! Bytes as HTTP heads, DNS messages and syslog's priority, and as datagrams to servers of each form.
#![no_main]
#![allow(clippy::unwrap_used)]

use labsim_model::{Addresses, UdpForm};
use labsim_services::server::answer_datagram;
use labsim_services::{dns, http, syslog};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// The first byte selects the reader.
fn read(bytes: &[u8]) {
    let [reader, bytes @ ..] = bytes else { return };
    match reader {
        0 => drop(http::read_request(bytes)),
        1 => drop(http::read_response(bytes)),
        2 => drop(dns::read_response(bytes)),
        3 => drop(syslog::priority(bytes)),
        4 => {
            // What can be read is written again as it was meant.
            if let Ok(query) = dns::read_query(bytes)
                && let Ok(written) = dns::write_query(&query)
            {
                assert_eq!(dns::read_query(&written).unwrap(), query);
            }
        }
        _ => {
            let address = Addresses::One("192.0.2.1".to_owned());
            let dns = UdpForm::Dns(BTreeMap::from([("www.example.org".to_owned(), address)]));
            let ends = ("192.0.2.1:1024".parse().unwrap(), "192.0.2.2:53".parse().unwrap());
            for form in [dns, UdpForm::Syslog] {
                let answer = answer_datagram(&form, bytes, ends);
                assert!(answer.reply.is_none_or(|reply| reply.len() <= dns::MAX_MESSAGE));
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| read(bytes));
