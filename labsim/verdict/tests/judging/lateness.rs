//! A lab that ran late: what TCP sends only for that is left out and said, and nothing else is.

use crate::exchange::{at_client, exchange, judge_one, tunnelled};
use crate::lab::{Lab, reaches};
use crate::scenario::{at, at_real_server};
use labsim_scenario::model::Direction::{In, Out};
use labsim_scenario::model::{Check, Count, FrameMatch, TcpFlags};
use labsim_wire::tcp::Flags;

/// The document's login, and a client that acknowledges the reply alone, so long after it.
fn with_late_acknowledgement(delay_ns: u64, lag_ns: u64) -> Lab {
    let mut lab = Lab::with_login_up_to_reply(7056);
    lab.wait(delay_ns);
    lab.client_sends(lab.client(Flags::ACK, 50, 47, 0), reaches::RS_TUNNEL);
    lab.finish_login();
    lab.seen.lag_ns = lag_ns;
    lab
}

#[test]
fn a_delayed_acknowledgement_of_a_late_lab_is_left_out_and_said() {
    let late = with_late_acknowledgement(40_000_000, 60_000_000);
    for check in [
        exchange(at("client", "eth0"), None, at_client()),
        exchange(at("lb", "eth0"), Some(Out), tunnelled(Out, 255)),
        exchange(at_real_server("eth0"), Some(In), tunnelled(In, 254)),
    ] {
        let result = judge_one(check, &late.seen);
        assert!(result.passed, "{result:#?}");
        let note = "1 frame left out: this machine was overloaded, labsim reacted \
                    up to 60 ms late";
        assert!(result.seen.iter().any(|line| line.starts_with(note)), "{result:#?}");
    }
}

#[test]
fn an_acknowledgement_at_once_by_a_host_that_was_late_before_is_left_out() {
    let mut lab = Lab::with_login_up_to_request(7056);
    lab.wait(41_000_000);
    lab.server_replies();
    lab.server_sends(lab.server(Flags::ACK, 29, 50, 0), 4);
    lab.server_sends(lab.server(Flags::PSH.with(Flags::ACK), 29, 50, 18), 4);
    lab.finish_login();
    lab.seen.lag_ns = 41_000_000;
    let result = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
    assert!(result.passed, "{result:#?}");
    lab.seen.lag_ns = 0;
    let result = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
    assert!(!result.passed, "{result:#?}");
}

#[test]
fn an_acknowledgement_more_fails_where_the_lab_was_on_time_or_it_was_not_delayed() {
    for (delay_ns, lag_ns) in [(40_000_000, 1_000_000), (10_000_000, 60_000_000)] {
        let lab = with_late_acknowledgement(delay_ns, lag_ns);
        let result = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
        assert!(!result.passed, "{delay_ns} {lag_ns} {result:#?}");
    }
}

const PSH: Flags = Flags(Flags::PSH.0 | Flags::ACK.0);

/// The document's login, whose request the client sends again after so long, and both copies get as
/// far as `first` and `second` say; the server acknowledges the second at once.
fn with_retransmission(delay_ns: u64, first: usize, second: usize) -> Lab {
    let mut lab = Lab::new();
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    lab.server_sends(lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0), 4);
    lab.client_sends(lab.client(Flags::ACK, 1, 1, 0), reaches::RS_TUNNEL);
    lab.client_sends(lab.client(PSH, 1, 1, 26), first);
    lab.wait(delay_ns);
    lab.client_sends(lab.client(PSH, 1, 1, 26), second);
    lab.server_sends(lab.server(Flags::ACK, 1, 27, 0), 4);
    lab.server_sends(lab.server(Flags::ACK, 1, 27, 0), 4);
    lab.server_replies();
    lab.server_sends(lab.server(PSH, 29, 50, 18), 4);
    lab.finish_login();
    lab.seen.lag_ns = 200_000_000;
    lab
}

/// The six packets of the document's login that came in at the server.
fn requests(count: Count) -> Check {
    let matching = FrameMatch { direction: Some(In), protocol: Some(6), ..FrameMatch::default() };
    Check::Frames { at: at_real_server("eth0"), matching, count }
}

#[test]
fn a_count_leaves_out_what_a_late_lab_sent_and_says_so() {
    let late = with_late_acknowledgement(40_000_000, 60_000_000);
    let again = with_retransmission(210_000_000, reaches::RS_TUNNEL, reaches::RS_TUNNEL);
    for lab in [&late, &again] {
        for count in [Count::Exactly(6), Count::Between(1, 6)] {
            let result = judge_one(requests(count), &lab.seen);
            assert!(result.passed, "{result:#?}");
            let note = "1 frame left out: this machine was overloaded";
            assert!(result.seen.iter().any(|line| line.starts_with(note)), "{result:#?}");
        }
    }
    for lab in [late, again] {
        assert!(judge_one(requests(Count::Exactly(7)), &lab.seen).passed);
        assert!(!judge_one(requests(Count::Exactly(4)), &lab.seen).passed);
    }
}

#[test]
fn a_count_holds_with_nothing_left_out_where_the_lab_was_on_time() {
    let mut lab = with_retransmission(210_000_000, reaches::RS_TUNNEL, reaches::RS_TUNNEL);
    lab.seen.lag_ns = 1_000_000;
    assert!(!judge_one(requests(Count::Exactly(6)), &lab.seen).passed);
}

#[test]
fn a_frame_that_must_not_be_there_is_never_left_out() {
    let lab = with_retransmission(210_000_000, reaches::RS_TUNNEL, reaches::RS_TUNNEL);
    let flags = Some(TcpFlags(PSH.0));
    let matching = FrameMatch { direction: Some(In), flags, ..FrameMatch::default() };
    let check = Check::Frames { at: at_real_server("eth0"), matching, count: Count::Exactly(0) };
    assert!(!judge_one(check, &lab.seen).passed);
}

#[test]
fn a_retransmission_and_the_acknowledgement_that_it_gets_are_left_out_of_an_exchange() {
    let lab = with_retransmission(210_000_000, reaches::RS_TUNNEL, reaches::RS_TUNNEL);
    let result = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
    assert!(result.passed, "{result:#?}");
    assert!(result.seen.iter().any(|line| line.starts_with("2 frames left out")), "{result:#?}");
}

#[test]
fn a_retransmission_of_what_was_lost_or_that_came_too_early_is_not_left_out() {
    for (delay_ns, first) in [(210_000_000, 4), (100_000_000, reaches::RS_TUNNEL)] {
        let lab = with_retransmission(delay_ns, first, reaches::RS_TUNNEL);
        let result = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
        assert!(!result.passed, "{delay_ns} {first} {result:#?}");
    }
}

#[test]
fn a_pure_acknowledgement_may_be_missing_only_where_the_conversation_was_late() {
    let mut missing = at_client();
    missing.insert(6, FrameMatch { acknowledgement: Some(29), ..missing[2].clone() });
    let late = with_retransmission(210_000_000, reaches::RS_TUNNEL, reaches::RS_TUNNEL);
    let result = judge_one(exchange(at("client", "eth0"), None, missing.clone()), &late.seen);
    assert!(result.passed, "{result:#?}");
    let mut on_time = Lab::with_login();
    on_time.seen.lag_ns = 200_000_000;
    let result = judge_one(exchange(at("client", "eth0"), None, missing), &on_time.seen);
    assert!(!result.passed, "{result:#?}");
}
