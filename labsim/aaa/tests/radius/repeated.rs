//! Requests that come again (RFC 5080, section 2.2.2): the reply is sent again, and nothing is done
//! twice.

use super::*;
use labsim_aaa::log::LogOutcome;
use labsim_aaa::radius::accounting::AcctStatusType;
use labsim_aaa::radius::client::AccountingRequest;

/// Serves the requests one after the other, each with its time and source: the outcomes.
fn outcomes(
    endpoint: &mut Endpoint<'_>,
    requests: &[(&Session, SocketAddr, u64)],
) -> Vec<(LogOutcome, Option<Vec<u8>>)> {
    let one = |(session, from, seconds): &(&Session, SocketAddr, u64)| {
        let answer = endpoint.handle(session.request(), *from, vip(), at(*seconds));
        (answer.log.outcome, answer.reply)
    };
    requests.iter().map(one).collect()
}

fn logged(results: &[(LogOutcome, Option<Vec<u8>>)]) -> Vec<LogOutcome> {
    results.iter().map(|(outcome, _)| *outcome).collect()
}

#[test]
fn a_login_that_comes_again_has_the_same_reply_and_a_line_that_says_so() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = violet(Method::Pap);
    let first = ask(&mut endpoint, session.request());
    let second = ask(&mut endpoint, session.request());
    assert_eq!((first.log.outcome, second.log.outcome), (LogOutcome::Pass, LogOutcome::Repeated));
    assert!(first.reply.is_some() && first.reply == second.reply);
    assert_eq!(
        second.log.to_string(),
        "192.168.11.201:61067 -> 172.16.4.99:1812 authentication repeated user `violet`: the \
         request came again: its reply was sent again"
    );
}

#[test]
fn a_record_that_comes_again_is_written_down_once() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Accounting);
    let account = AccountingRequest::new(AcctStatusType::Start, "violet", "s");
    let session = Session::accounting(&account, vip(), number(1), &options()).unwrap();
    let requests = [(&session, peer(), 0), (&session, peer(), 2), (&session, peer(), 6)];
    let results = outcomes(&mut endpoint, &requests);
    assert_eq!(logged(&results), [LogOutcome::Pass, LogOutcome::Repeated, LogOutcome::Repeated]);
    assert!(results.windows(2).all(|pair| pair[0].1 == pair[1].1));
}

#[test]
fn after_the_window_a_request_is_a_new_one() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = violet(Method::Pap);
    let requests = [(&session, peer(), 0), (&session, peer(), 29), (&session, peer(), 30)];
    let results = outcomes(&mut endpoint, &requests);
    assert_eq!(logged(&results), [LogOutcome::Pass, LogOutcome::Repeated, LogOutcome::Pass]);
}

#[test]
fn another_port_another_number_and_another_address_of_the_server_are_other_requests() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = violet(Method::Pap);
    let other_port = "192.168.11.201:61068".parse().unwrap();
    let login = login("violet", "indigo", Method::Pap);
    let other_number = Session::login(&login, vip(), number(2), &options()).unwrap();
    let again = RequestId { identifier: 1, ..number(3) };
    let other_authenticator = Session::login(&login, vip(), again, &options()).unwrap();
    let requests = [
        (&session, peer(), 0),
        (&session, other_port, 0),
        (&other_number, peer(), 0),
        (&session, peer(), 0),
        (&other_authenticator, peer(), 0),
        // The last one took its place.
        (&session, peer(), 0),
    ];
    let results = outcomes(&mut endpoint, &requests);
    let (pass, repeated) = (LogOutcome::Pass, LogOutcome::Repeated);
    assert_eq!(logged(&results), [pass, pass, pass, repeated, pass, pass]);
    let own: SocketAddr = "10.1.1.51:1812".parse().unwrap();
    let answer = endpoint.handle(session.request(), peer(), own, at(0));
    assert_eq!(answer.log.outcome, LogOutcome::Pass);
}

#[test]
fn what_is_not_genuine_does_not_touch_the_kept_replies() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = violet(Method::Pap);
    let forged = Options { secret: Secret::new("other"), ..options() };
    let again = RequestId { identifier: 1, ..number(3) };
    let login = login("violet", "indigo", Method::Pap);
    let forged = Session::login(&login, vip(), again, &forged).unwrap();
    let requests = [(&session, peer(), 0), (&forged, peer(), 0), (&session, peer(), 0)];
    let results = outcomes(&mut endpoint, &requests);
    assert_eq!(logged(&results), [LogOutcome::Pass, LogOutcome::Discarded, LogOutcome::Repeated]);
}

#[test]
fn a_forged_repetition_has_no_reply() {
    // The attacker has the header of a request, but not what makes it genuine.
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = violet(Method::Pap);
    ask(&mut endpoint, session.request());
    let mut forged = session.request().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let answer = ask(&mut endpoint, &forged);
    assert_eq!((answer.reply, answer.log.outcome), (None, LogOutcome::Discarded));
}

#[test]
fn the_oldest_reply_is_forgotten_when_there_are_too_many() {
    let server = Server { max_cached_replies: 2, ..server() };
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let login = login("violet", "indigo", Method::Pap);
    let sessions: Vec<Session> = (0..3)
        .map(|identifier| Session::login(&login, vip(), number(identifier), &options()).unwrap())
        .collect();
    let requests: Vec<_> =
        [0, 1, 2, 1, 2, 0].into_iter().map(|i: usize| (&sessions[i], peer(), 0)).collect();
    let results = outcomes(&mut endpoint, &requests);
    let (pass, repeated) = (LogOutcome::Pass, LogOutcome::Repeated);
    assert_eq!(logged(&results), [pass, pass, pass, repeated, repeated, pass]);
}

#[test]
fn a_question_of_life_is_answered_each_time() {
    let server = server();
    let mut endpoint = Endpoint::new(&server, Service::Authentication);
    let session = Session::status(Service::Authentication, vip(), number(1), &options()).unwrap();
    let requests = [(&session, peer(), 0), (&session, peer(), 0)];
    assert_eq!(logged(&outcomes(&mut endpoint, &requests)), [LogOutcome::Pass, LogOutcome::Pass]);
}
