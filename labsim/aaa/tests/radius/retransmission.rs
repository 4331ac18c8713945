//! When the client sends its request again (RFC 5080, section 2.2.1), on a virtual clock.

use super::*;
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::client::{AccountingRequest, Retransmission};

/// Runs a session that nobody answers: when it sent what, when it ended, and how.
fn unanswered(
    session: &mut Session,
    start: Duration,
) -> (Vec<u64>, Vec<Vec<u8>>, u64, RequestOutcome) {
    let (mut times, mut datagrams, mut now) = (Vec::new(), Vec::new(), start);
    loop {
        match session.advance(now) {
            Step::Send => {
                times.push((now - start).as_secs());
                datagrams.push(session.request().to_vec());
            }
            Step::Wait(until) => {
                assert!(until > now, "time goes on");
                // Waking up too early changes nothing.
                assert_eq!(session.advance(until - Duration::from_nanos(1)), Step::Wait(until));
                now = until;
            }
            Step::End(outcome) => return (times, datagrams, (now - start).as_secs(), outcome),
        }
        assert!(times.len() < 100, "it ends");
    }
}

fn with(retransmission: Retransmission) -> Session {
    session(&login("violet", "indigo", Method::Pap), &Options { retransmission, ..options() })
}

fn nothing(attempts: u32) -> RequestOutcome {
    RequestOutcome::Timeout { server: vip(), attempts, dropped: Vec::new() }
}

#[test]
fn a_request_is_sent_again_as_rfc_5080_recommends() {
    for start in [at(0), at(1_000)] {
        let (times, _, end, outcome) = unanswered(&mut violet(Method::Pap), start);
        assert_eq!(times, [0, 2, 6, 14]);
        assert_eq!((end, outcome), (30, nothing(4)));
    }
}

#[test]
fn every_transmission_has_the_same_bytes() {
    let (_, datagrams, ..) = unanswered(&mut violet(Method::Pap), at(0));
    assert!(datagrams.len() > 1 && datagrams.windows(2).all(|pair| pair[0] == pair[1]));
    let account = AccountingRequest::new(AcctStatusType::Stop, "violet", "s");
    let mut session = Session::accounting(&account, vip(), number(1), &options()).unwrap();
    let (_, datagrams, ..) = unanswered(&mut session, at(0));
    assert!(datagrams.len() > 1 && datagrams.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_time_between_transmissions_the_number_and_the_whole_are_bounded() {
    let base = Retransmission { first: at(1), longest: at(3), attempts: 5, total: at(100) };
    let (times, _, end, outcome) = unanswered(&mut with(base), at(0));
    assert_eq!(times, [0, 1, 3, 6, 9]);
    assert_eq!((end, outcome), (12, nothing(5)));

    let (times, _, end, _) = unanswered(&mut with(Retransmission { attempts: 2, ..base }), at(0));
    assert_eq!((times, end), (vec![0, 1], 3));

    let (times, _, end, _) = unanswered(&mut with(Retransmission { total: at(4), ..base }), at(0));
    assert_eq!((times, end), (vec![0, 1, 3], 4));

    let once = Retransmission { attempts: 0, ..base };
    let (times, _, end, _) = unanswered(&mut with(once), at(0));
    assert_eq!((times, end), (vec![0], 1), "at least one transmission is made");
}

#[test]
fn a_question_of_life_is_sent_once() {
    let mut session =
        Session::status(Service::Authentication, vip(), number(1), &options()).unwrap();
    let (times, _, end, outcome) = unanswered(&mut session, at(0));
    assert_eq!((times, end, outcome), (vec![0], 2, nothing(1)));
}

#[test]
fn a_dropped_reply_changes_no_time() {
    let mut session = violet(Method::Pap);
    assert_eq!(session.advance(at(0)), Step::Send);
    assert_eq!(session.advance(at(1)), Step::Wait(at(2)));
    assert_eq!(session.receive(b"garbage", vip()), None);
    assert_eq!(session.advance(at(1)), Step::Wait(at(2)));
}

#[test]
fn a_late_reply_to_any_transmission_counts_and_ends_the_session() {
    let mut session = violet(Method::Pap);
    let reply = reply_to(&session, &server());
    assert_eq!(session.advance(at(0)), Step::Send);
    assert_eq!(session.advance(at(2)), Step::Send);
    assert_eq!(session.receive(&reply, vip()), Some(accept()));
    assert_eq!(session.advance(at(2)), Step::End(accept()));
    assert_eq!(session.attempts(), 2);
}

#[test]
fn after_its_end_a_session_keeps_its_outcome() {
    let mut session = violet(Method::Pap);
    let reply = reply_to(&session, &server());
    let (.., outcome) = unanswered(&mut session, at(0));
    assert_eq!(session.receive(&reply, vip()), Some(outcome.clone()));
    assert_eq!(session.advance(at(99)), Step::End(outcome));
}
