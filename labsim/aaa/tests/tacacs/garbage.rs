//! Garbage into every decoder and both ends' sessions: no panic, nothing unbounded.

use super::*;
use labsim_aaa::tacacs::accounting;
use labsim_aaa::tacacs::authentication::{Continue, Reply, Start};
use labsim_aaa::tacacs::authorization;
use labsim_aaa::tacacs::header::HEADER_LEN;
use proptest::prelude::*;

/// Bytes without a rule, and bytes whose lengths are small enough to add up now and then.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..600), prop::collection::vec(0_u8..6, 0..60),]
}

/// A whole packet with a plausible header around any body.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    (
        0xc0_u8..=0xc1,
        1_u8..=3,
        1_u8..=5,
        prop_oneof![Just(0_u8), Just(4), any::<u8>()],
        0_u8..3,
        bytes(),
    )
        .prop_map(|(version, kind, sequence, flags, session, body)| {
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            let head = [version, kind, sequence, flags, 0, 0, 0, session];
            [&head[..], &length, &body].concat()
        })
}

/// A packet of a login with some bytes changed.
fn damaged_login() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (0_usize..2, changes).prop_map(|(which, changes)| {
        let server = server();
        let mut packet =
            talk(ascii("violet", "indigo"), &mut connect(&server)).packets.swap_remove(which * 2);
        for (at, value) in changes {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet
    })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![any_packet(), damaged_login(), bytes()];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decoder_survives(bytes in bytes()) {
        let _ = Start::decode(&bytes);
        let _ = Reply::decode(&bytes);
        let _ = Continue::decode(&bytes);
        let _ = authorization::Request::decode(&bytes);
        let _ = authorization::Reply::decode(&bytes);
        let _ = accounting::Request::decode(&bytes);
        let _ = accounting::Reply::decode(&bytes);
    }

    #[test]
    fn an_inbox_never_holds_more_than_came_and_than_it_takes(bytes in bytes(), max in 0_u32..300) {
        let mut reader = PacketReader::new(max);
        let mut rest = bytes.as_slice();
        loop {
            let before = rest.len();
            match reader.next_packet(&mut rest) {
                Ok(Some(packet)) => prop_assert!(packet.header.length <= max && rest.len() < before),
                Ok(None) => {
                    prop_assert!(rest.is_empty());
                    break;
                }
                Err(_) => break,
            }
        }
        prop_assert!(reader.buffered() <= bytes.len());
        prop_assert!(reader.buffered() < HEADER_LEN + max as usize + 1);
    }

    #[test]
    fn a_server_survives_and_answers_no_more_than_it_was_asked(
        stream in stream(),
        cut in 1_usize..100,
    ) {
        let server = server();
        let mut connection = connect(&server);
        let mut done = Done::default();
        for piece in stream.chunks(cut) {
            let now = Done::from(connection.receive(piece));
            prop_assert!(!done.closed || now.sent.is_empty() && now.log.is_empty() && !now.closed);
            done.sent.extend(now.sent);
            done.closed |= now.closed;
        }
        prop_assert!(done.sent.len() * HEADER_LEN <= stream.len());
        for reply in &done.sent {
            prop_assert_eq!(whole(reply).header.sequence.get() % 2, 0);
        }
        let end = Done::from(connection.handle_eof());
        prop_assert!(done.closed != end.closed, "it is closed exactly once");
    }

    #[test]
    fn however_a_login_is_cut_it_passes(cuts in prop::collection::vec(1_usize..9, 1..30)) {
        let server = server();
        let mut connection = connect(&server);
        let mut session = ascii("violet", "indigo");
        let mut outgoing = session.first().unwrap();
        let mut cuts = cuts.into_iter().cycle();
        let outcome = loop {
            let mut done = Done::default();
            let mut rest = outgoing.as_slice();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                rest = later;
                let now = Done::from(connection.receive(piece));
                prop_assert!(now.sent.is_empty() || rest.is_empty());
                done.sent.extend(now.sent);
            }
            let step = session.receive(whole(&done.sent[0])).unwrap();
            match step.outcome {
                Some(outcome) => break outcome,
                None => outgoing = step.send.unwrap(),
            }
        };
        prop_assert_eq!(outcome.to_string(), "PASS");
    }

    #[test]
    fn a_client_survives(packet in prop_oneof![any_packet(), damaged_login()], chap: bool) {
        // Only what the framing takes comes to a session.
        let Ok(Some(sealed)) = PacketReader::default().next_packet(&mut packet.as_slice()) else {
            return Ok(());
        };
        let method = if chap { Method::Pap } else { Method::ASCII };
        let login = login("violet", "indigo", method);
        let mut session = LoginSession::new(login, SessionId(1), &options());
        session.first().unwrap();
        let _ = session.receive(sealed);
    }
}
