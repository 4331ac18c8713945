//! Garbage into every decoder and both ends: no panic, nothing unbounded.

use super::*;
use labsim_aaa::log::{LogOutcome, MAX_DETAIL};
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::attribute::Attribute;
use labsim_aaa::radius::authenticator::{accounting_request, check_message, response};
use labsim_aaa::radius::client::AccountingRequest;
use labsim_aaa::radius::packet::{HEADER_LEN, MAX_LEN, Packet, packet_bytes};
use labsim_aaa::radius::password;
use proptest::prelude::*;

/// Bytes without a rule, and bytes that are attributes now and then.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..600),
        prop::collection::vec(0_u8..6, 0..60),
        attributes().prop_map(|attributes| attributes.concat()),
    ]
}

/// Attributes that both ends look at, with values of any length.
fn attributes() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let kind = prop::sample::select(vec![1_u8, 2, 3, 18, 24, 32, 33, 40, 44, 46, 60, 79, 80, 95]);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 16..=16),
        (0_u8..5).prop_map(|number| vec![0, 0, 0, number]),
    ];
    let attribute = (kind, value).prop_map(|(kind, value)| {
        [&[kind, u8::try_from(value.len() + 2).unwrap()], value.as_slice()].concat()
    });
    prop::collection::vec(attribute, 0..12)
}

/// A datagram with a plausible header around any body, and its length off now and then.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![Just([7_u8; 16]), any::<[u8; 16]>()];
    (1_u8..=13, 0_u8..3, number, bytes(), prop_oneof![8 => Just(0_i32), 1 => -30..30]).prop_map(
        |(code, identifier, number, body, off)| {
            let length = (i32::try_from(HEADER_LEN + body.len()).unwrap() + off).max(0);
            let length = u16::try_from(length).unwrap().to_be_bytes();
            [&[code, identifier], length.as_slice(), &number, &body].concat()
        },
    )
}

/// A genuine Accounting-Request with any attributes.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    attributes().prop_map(|attributes| {
        let body = attributes.concat();
        let length = u16::try_from(HEADER_LEN + body.len()).unwrap().to_be_bytes();
        let mut packet = [&[4, 1], length.as_slice(), &[0; 16], &body].concat();
        let own = accounting_request(&packet, &Secret::new(SECRET));
        packet[4..20].copy_from_slice(&own.0);
        packet
    })
}

/// A genuine packet with some bytes changed, or none.
fn damaged(packet: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    changes.prop_map(move |changes| {
        let mut packet = packet.clone();
        for (at, value) in changes {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet
    })
}

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let account = AccountingRequest::new(AcctStatusType::Stop, "violet", "s");
    let account = Session::accounting(&account, vip(), number(1), &options()).unwrap();
    let status = Session::status(Service::Accounting, vip(), number(1), &options()).unwrap();
    let old = session(&login("violet", "indigo", Method::Pap), &old());
    prop_oneof![
        any_packet(),
        any_record(),
        bytes(),
        damaged(violet(Method::Pap).request().to_vec()),
        damaged(violet(Method::CHAP).request().to_vec()),
        damaged(old.request().to_vec()),
        damaged(account.request().to_vec()),
        damaged(status.request().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decoder_survives(bytes in prop_oneof![bytes(), any_packet()]) {
        let secret = Secret::new(SECRET);
        let number = Authenticator([1; 16]);
        let _ = check_message(&bytes, number, &secret);
        let _ = response(&bytes, number, &secret);
        let _ = accounting_request(&bytes, &secret);
        let _ = password::reveal(&bytes, &secret, number);
        let Ok(packet) = Packet::decode(&bytes) else { return Ok(()) };
        // What is read is written as it was: nothing is lost and nothing is added.
        let own = packet_bytes(&bytes).unwrap();
        prop_assert!((HEADER_LEN..=MAX_LEN).contains(&own.len()));
        let encoded = packet.encode().unwrap();
        prop_assert_eq!(encoded.as_slice(), own);
        let values: usize = packet.attributes.iter().map(|a| a.value().len() + 2).sum();
        prop_assert_eq!(HEADER_LEN + values, own.len());
    }

    #[test]
    fn a_packet_of_any_attributes_comes_back(
        code: u8,
        identifier: u8,
        number: [u8; 16],
        values in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..=253)), 0..20),
    ) {
        let attribute = |(kind, value)| {
            Attribute::new(labsim_aaa::radius::attribute::AttributeType(kind), value).unwrap()
        };
        let packet = Packet {
            code: code.into(),
            identifier,
            authenticator: Authenticator(number),
            attributes: values.into_iter().map(attribute).collect(),
        };
        match packet.encode() {
            Ok(bytes) => prop_assert_eq!(Packet::decode(&bytes), Ok(packet)),
            Err(_) => {
                let sum: usize = packet.attributes.iter().map(|a| a.value().len() + 2).sum();
                prop_assert!(HEADER_LEN + sum > MAX_LEN);
            }
        }
    }

    #[test]
    fn a_server_survives_and_its_answers_are_genuine_and_bounded(
        requests in prop::collection::vec(any_request(), 1..8),
        strict: bool,
        accounting: bool,
    ) {
        let server = if strict { server() } else { lenient() };
        let service = if accounting { Service::Accounting } else { Service::Authentication };
        let mut endpoint = Endpoint::new(&server, service);
        for (seconds, request) in (0..).zip(&requests) {
            let answer = endpoint.handle(request, peer(), vip(), at(seconds));
            prop_assert!(answer.log.detail.chars().count() <= MAX_DETAIL);
            prop_assert!(!answer.log.to_string().contains('\n'));
            prop_assert_eq!(answer.reply.is_none(), answer.log.outcome == LogOutcome::Discarded);
            let Some(reply) = answer.reply else { continue };
            let asked = Packet::decode(request).unwrap();
            let said = Packet::decode(&reply).unwrap();
            prop_assert_eq!(said.identifier, asked.identifier);
            let expected = response(&reply, asked.authenticator, &Secret::new(SECRET));
            prop_assert_eq!(said.authenticator, expected);
            prop_assert!(reply.len() <= request.len() + 18, "no amplifier");
        }
    }

    #[test]
    fn an_unknown_client_never_has_an_answer(request in any_request()) {
        let server = server();
        let unknown = "10.9.9.9:1024".parse().unwrap();
        let mut endpoint = Endpoint::new(&server, Service::Authentication);
        prop_assert_eq!(endpoint.handle(&request, unknown, vip(), at(0)).reply, None);
    }

    #[test]
    fn a_client_survives_and_takes_nothing_but_the_genuine_reply(
        reply in prop_oneof![
            any_packet(),
            bytes(),
            damaged(reply_to(&violet(Method::Pap), &server())),
        ],
        elsewhere: bool,
    ) {
        let genuine = reply_to(&violet(Method::Pap), &server());
        let from = if elsewhere { "10.1.1.51:1812".parse().unwrap() } else { vip() };
        let mut session = violet(Method::Pap);
        let outcome = session.receive(&reply, from);
        prop_assert_eq!(outcome.is_some(), reply == genuine && !elsewhere);
        prop_assert_eq!(outcome.is_none(), session.dropped().len() == 1);
    }

    #[test]
    fn a_session_always_ends_and_never_goes_back_in_time(
        first in 0_u64..10_000,
        longest in 0_u64..10_000,
        attempts in 0_u32..20,
        total in 0_u64..100_000,
    ) {
        let millis = Duration::from_millis;
        let retransmission = labsim_aaa::radius::client::Retransmission {
            first: millis(first),
            longest: millis(longest),
            attempts,
            total: millis(total),
        };
        let options = Options { retransmission, ..options() };
        let mut session = session(&login("violet", "indigo", Method::Pap), &options);
        let (mut now, mut steps) = (millis(5), 0);
        while !matches!(session.advance(now), Step::End(_)) {
            if let Step::Wait(until) = session.advance(now) {
                prop_assert!(until > now && until <= millis(5 + total));
                now = until;
            }
            steps += 1;
            prop_assert!(steps < 50);
        }
        prop_assert!((1..=attempts.max(1)).contains(&session.attempts()));
    }
}
