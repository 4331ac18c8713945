//! Packets that an impaired link drops are explained by the link's own counters.

use crate::diagnosing::{causes, findings, lost_after};
use crate::lab::{Lab, reaches};
use crate::scenario::{interface, node, scenario, step};
use labsim_scenario::model::{Attachment, Impairment, LoginResult, Percent, Scenario};
use labsim_verdict::{Diagnosis, LinkCounters, diagnose};
use labsim_wire::tcp::Flags;

/// A tenth of what the client sends is lost.
fn with_loss() -> (Scenario, Attachment) {
    let mut scenario = scenario(Vec::new());
    let end = Attachment { node: node("client"), interface: interface("eth0") };
    let impairment = Impairment {
        delay: std::time::Duration::ZERO,
        jitter: std::time::Duration::ZERO,
        loss: Percent::of_millionths(100_000).unwrap(),
        duplicate: Percent::default(),
        reorder: Percent::default(),
        rate: None,
        queue: 1000,
        seed: 0,
    };
    scenario.impairments.insert(end.clone(), impairment);
    (scenario, end)
}

fn counted<const N: usize>(dropped: u64, names: [(&str, u64); N]) -> LinkCounters {
    let by_name = names.map(|(name, number)| (name.to_owned(), number)).into();
    LinkCounters { dropped, by_name }
}

fn diagnosed(scenario: &Scenario, lab: &Lab) -> Diagnosis {
    diagnose(scenario, &lab.seen, &step("login")).unwrap()
}

#[test]
fn a_packet_that_an_impaired_link_dropped_is_explained_by_the_links_own_count() {
    let mut lab = lost_after(1);
    let (scenario, end) = with_loss();
    let counters = counted(3, [("taken", 9), ("lost", 2), ("queue_full", 1)]);
    lab.seen.link_counters.insert(end.clone(), counters);
    let diagnosis = diagnosed(&scenario, &lab);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "the impaired link behind client:eth0 (loss 10%) dropped 3 of 9 frames: lost 2, queue_full 1"
    );
    assert_eq!(diagnosis.causes[0].frames.lines.len(), 1);
    // A link that dropped nothing is not to blame, nor is one that the packet came out of.
    lab.seen.link_counters.insert(end.clone(), LinkCounters::default());
    assert_eq!(causes(&diagnosed(&scenario, &lab)), Vec::<&str>::new());
    let mut beyond = lost_after(reaches::ROUTER_IN);
    beyond.seen.link_counters.insert(end, counted(3, []));
    assert_eq!(causes(&diagnosed(&scenario, &beyond)), Vec::<&str>::new());
}

#[test]
fn a_packet_that_was_lost_first_and_arrived_too_late_is_explained_by_the_link() {
    let mut lab = Lab::new();
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), 1);
    lab.wait(1_000_000_000);
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    lab.server_sends(lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0), 4);
    // The client has given up.
    lab.client_sends(lab.client(Flags::RST, 1, 0, 0), 1);
    let (scenario, end) = with_loss();
    assert_eq!(
        findings(&diagnosed(&scenario, &lab))[0],
        "the client's packet S seq 0 len 0 (sent 2 times, 1 of which did not come as far) was last \
         seen at rs2:tunl0 in; path: client:eth0 out, router:client in, router:lb out, lb:eth0 in, \
         lb:eth0 out, router:lb in, router:servers out, rs2:eth0 in, rs2:tunl0 in"
    );
    lab.seen.link_counters.insert(end, counted(2, [("taken", 3), ("lost", 2)]));
    assert_eq!(
        causes(&diagnosed(&scenario, &lab)),
        [
            "the impaired link behind client:eth0 (loss 10%) dropped 2 of 3 frames: lost 2; 1 packet \
             of this exchange did not come out of it and had to be sent again"
        ]
    );
    // An exchange that ended otherwise was not kept waiting.
    lab.attempt().result = LoginResult::Refused;
    assert_eq!(causes(&diagnosed(&scenario, &lab)), Vec::<&str>::new());
}
