//! The document's lab as a scenario with one login, `login`.

use labsim_scenario::model::{
    Attachment, CapturePoint, Captures, Check, Direction, Exchange, ExchangeForm, Expectation,
    FrameMatch, Interface, InterfaceName, Link, LoadBalancer, LoginClose, LoginMethod, Node,
    NodeName, Place, PointNode, Pool, RadiusQuestion, RadiusRequest, Scenario, ScenarioName,
    Secret, Step, StepAction, StepName, TacacsLogin, TcpFlags, Topology, VirtualServer,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

pub(crate) fn interface(name: &str) -> InterfaceName {
    InterfaceName::new(name).unwrap()
}

pub(crate) fn step(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

pub(crate) fn at(node_name: &str, interface_name: &str) -> CapturePoint {
    CapturePoint { node: PointNode::Named(node(node_name)), interface: interface(interface_name) }
}

pub(crate) fn at_real_server(interface_name: &str) -> CapturePoint {
    CapturePoint {
        node: PointNode::RealServerOf(step("login")),
        interface: interface(interface_name),
    }
}

/// A row of an exchange's table.
pub(crate) fn row(
    direction: Direction,
    flags: &str,
    sequence: u32,
    acknowledgement: Option<u32>,
    payload: u32,
) -> FrameMatch {
    FrameMatch {
        direction: Some(direction),
        flags: Some(TcpFlags::parse(flags).unwrap()),
        sequence: Some(sequence),
        acknowledgement,
        payload: Some(payload),
        ..FrameMatch::default()
    }
}

pub(crate) fn login(name: &str, user: &str) -> Step {
    Step {
        name: step(name),
        place: Place { file: "x.yaml".to_owned(), line: 7 },
        action: StepAction::Exchange(Box::new(Exchange {
            from: vec![node("client")],
            times: 1,
            concurrency: 1,
            source_port: None,
            to: "172.16.4.99:49".parse().unwrap(),
            timeout: Duration::from_secs(5),
            pause: false,
            background: false,
            form: ExchangeForm::TacacsLogin(TacacsLogin {
                secret: Secret::new("s".to_owned()),
                method: LoginMethod::Ascii,
                user: user.to_owned(),
                password: Secret::new("p".to_owned()),
                close: LoginClose::Reset,
            }),
        })),
    }
}

/// The same with a load balancer whose pool has one member, rs2's address and this port.
pub(crate) fn balanced(mut scenario: Scenario, member_port: u16) -> Scenario {
    let server = VirtualServer {
        translate_port: false,
        ..VirtualServer::new("172.16.4.99:49".parse::<SocketAddr>().unwrap(), "p")
    };
    let member = SocketAddr::new("10.1.1.52".parse().unwrap(), member_port);
    let pool = Pool { members: vec![member.into()], ..Pool::default() };
    let balancer = LoadBalancer {
        virtual_servers: BTreeMap::from([("vs".to_owned(), server)]),
        pools: BTreeMap::from([("p".to_owned(), pool)]),
        ..LoadBalancer::default()
    };
    scenario.load_balancers.insert(node("lb"), balancer);
    scenario
}

/// A step with one RADIUS login.
pub(crate) fn radius(name: &str) -> Step {
    Step {
        name: step(name),
        place: Place { file: "x.yaml".to_owned(), line: 7 },
        action: StepAction::Exchange(Box::new(Exchange {
            from: vec![node("client")],
            times: 1,
            concurrency: 1,
            source_port: None,
            to: "172.16.4.99:1812".parse().unwrap(),
            timeout: Duration::from_secs(1),
            pause: false,
            background: false,
            form: ExchangeForm::Radius(RadiusRequest {
                secret: Secret::new("s".to_owned()),
                question: RadiusQuestion::Login {
                    method: LoginMethod::Pap,
                    user: "alice".to_owned(),
                    password: Secret::new("p".to_owned()),
                    message_authenticator: true,
                    require_message_authenticator: true,
                },
                max_transmissions: 3,
            }),
        })),
    }
}

/// The scenario with these checks; each has the sentences `holds` and `fails`.
pub(crate) fn scenario(checks: Vec<Check>) -> Scenario {
    let nodes = [
        ("client", vec![("eth0", "192.168.11.201/24")]),
        (
            "router",
            vec![
                ("client", "192.168.11.1/24"),
                ("lb", "172.16.5.1/24"),
                ("servers", "10.1.1.1/24"),
            ],
        ),
        ("lb", vec![("eth0", "172.16.5.10/24")]),
        ("rs1", vec![("eth0", "10.1.1.51/24")]),
        ("rs2", vec![("eth0", "10.1.1.52/24")]),
    ];
    let end = |node_name: &str, interface_name: &str| Attachment {
        node: node(node_name),
        interface: interface(interface_name),
    };
    Scenario {
        name: ScenarioName::new("test").unwrap(),
        tags: BTreeSet::new(),
        topology: Topology {
            name: "one-arm-routed".to_owned(),
            nodes: nodes
                .into_iter()
                .map(|(name, interfaces)| Node {
                    name: node(name),
                    forward: name == "router",
                    at: None,
                    interfaces: interfaces
                        .into_iter()
                        .map(|(name, address)| Interface {
                            name: interface(name),
                            addresses: vec![address.parse().unwrap()],
                            mtu: 1500,
                            offloads: false,
                        })
                        .collect(),
                    routes: Vec::new(),
                    sysctls: BTreeMap::new(),
                })
                .collect(),
            links: vec![Link { ends: [end("client", "eth0"), end("router", "client")] }],
            segments: Vec::new(),
        },
        load_balancers: BTreeMap::new(),
        real_servers: BTreeMap::new(),
        tacacs_servers: BTreeMap::new(),
        radius_servers: BTreeMap::new(),
        services: BTreeMap::new(),
        filters: Vec::new(),
        impairments: BTreeMap::new(),
        processes: Vec::new(),
        captures: Captures::default(),
        steps: vec![login("login", "alice")],
        expectations: checks
            .into_iter()
            .enumerate()
            .map(|(place, check)| Expectation {
                name: format!("expectation-{}", place + 1),
                pass: "holds".to_owned(),
                fail: "fails".to_owned(),
                place: Place { file: "test.yaml".to_owned(), line: place + 1 },
                check,
            })
            .collect(),
    }
}
