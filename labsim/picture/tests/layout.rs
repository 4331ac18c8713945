//! Every shipped file and generated labs are drawn without an overlap.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use labsim_picture::{
    Lab, Layout, Network, NetworkKind, Node, Port, Role, Row, RowKind, SvgOptions, defects, svg,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn assert_readable(name: &str, lab: &Lab) {
    let layout = Layout::new(lab);
    let found = defects(&layout);
    assert!(found.is_empty(), "{name}: {found:#?}");
    assert_eq!(layout.boxes.len(), lab.nodes.len());
    assert_eq!(layout.wires.len(), lab.networks.len());
    assert_eq!(layout, Layout::new(lab), "{name}");
}

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "parts" {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_shipped_scenario_is_readable() {
    let files = files("scenarios");
    assert!(files.len() > 70, "{}", files.len());
    for file in files {
        let loaded = labsim_scenario::load(&file).unwrap();
        assert_readable(&file.display().to_string(), &Lab::of_scenario(&loaded.scenario));
    }
}

#[test]
fn every_shipped_topology_is_readable() {
    let files = files("topologies");
    assert!(files.len() > 10, "{}", files.len());
    for file in files {
        let topology = labsim_scenario::load_topology(&file).unwrap();
        assert_readable(&file.display().to_string(), &Lab::of_topology(&topology));
    }
}

/// A lab of so many nodes: client, router, load balancer, servers on segments of eight, each segment
/// with a router behind the first one but the first, and tunnels to all servers.
fn big(count: usize) -> Lab {
    let mut lab = Lab { name: "big".to_owned(), nodes: Vec::new(), networks: Vec::new() };
    let mut tunnel = vec![Port { node: 2, row: 1 }];
    let mut segment = Vec::new();
    for number in 0..count {
        let (role, name) = match number {
            0 => (Role::Client, "client".to_owned()),
            1 => (Role::Router, "router".to_owned()),
            2 => (Role::LoadBalancer, "lb".to_owned()),
            _ => (Role::Server, format!("a-real-server-with-a-long-name-{number}")),
        };
        let mut rows = vec![
            interface("eth0", &format!("10.1.{number}.1/24")),
            Row { kind: RowKind::Tunnel, label: "tunl0".to_owned(), text: "ipip".to_owned() },
            Row { kind: RowKind::Vip, label: "VIP".to_owned(), text: "172.16.4.99".to_owned() },
        ];
        if number == 1 {
            rows = (0..count).map(|port| interface(&format!("eth{port}"), "10.2.0.1/24")).collect();
        }
        lab.nodes.push(Node { name, role, rows, at: None });
        match number {
            0 | 2 => lab.networks.push(link(number, 1, number)),
            1 => {}
            _ => {
                if (number - 3) % 8 == 0 {
                    push_segment(&mut lab, &mut segment);
                    segment.push(Port { node: 1, row: number });
                }
                segment.push(Port { node: number, row: 0 });
                tunnel.push(Port { node: number, row: 1 });
            }
        }
    }
    push_segment(&mut lab, &mut segment);
    // The router is there before what is linked to it.
    lab.networks.push(Network {
        kind: NetworkKind::Tunnel,
        name: "ipip".to_owned(),
        ports: tunnel,
    });
    lab
}

fn interface(name: &str, text: &str) -> Row {
    Row { kind: RowKind::Interface, label: name.to_owned(), text: text.to_owned() }
}

fn link(node: usize, other: usize, row: usize) -> Network {
    let ports = vec![Port { node, row: 0 }, Port { node: other, row }];
    Network { kind: NetworkKind::Link, name: String::new(), ports }
}

fn push_segment(lab: &mut Lab, ports: &mut Vec<Port>) {
    if !ports.is_empty() {
        let name = format!("segment-{}", lab.networks.len());
        let ports = std::mem::take(ports);
        lab.networks.push(Network { kind: NetworkKind::Segment, name, ports });
    }
}

#[test]
fn labs_of_6_20_and_50_nodes_are_readable() {
    for count in [6, 20, 50] {
        let lab = big(count);
        assert_eq!(lab.nodes.len(), count);
        assert_readable(&format!("{count} nodes"), &lab);
    }
}

/// A connected lab: each node but the first is on a network with an earlier one.
fn any_lab() -> impl Strategy<Value = Lab> {
    let at = prop::option::of((0_u32..5, 0_u32..100).prop_map(|(column, row)| [column, row]));
    let node = (0_usize..5, any::<prop::sample::Index>(), any::<bool>(), "[a-z]{1,60}", at);
    let tunnels = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
    (prop::collection::vec(node, 1..50), tunnels).prop_map(|(nodes, tunnels)| {
        let mut lab = Lab { name: "any".to_owned(), nodes: Vec::new(), networks: Vec::new() };
        for (number, (role, peer, is_new, name, at)) in nodes.into_iter().enumerate() {
            let role =
                [Role::Client, Role::Router, Role::LoadBalancer, Role::Server, Role::Host][role];
            let rows = vec![interface("eth0", "10.0.0.1/24")];
            lab.nodes.push(Node { name: name.clone(), role, rows, at });
            if number == 0 {
                continue;
            }
            let port = Port { node: number, row: 0 };
            let segments =
                lab.networks.iter().filter(|one| one.kind == NetworkKind::Segment).count();
            if is_new || segments == 0 {
                // The peer gets another interface.
                let peer = peer.index(number);
                let row = lab.nodes[peer].rows.len();
                lab.nodes[peer].rows.push(interface(&format!("eth{row}"), "10.0.0.2/24"));
                let kind = if number % 2 == 0 { NetworkKind::Link } else { NetworkKind::Segment };
                let ports = vec![Port { node: peer, row }, port];
                lab.networks.push(Network { kind, name, ports });
            } else {
                let all = lab.networks.iter_mut().filter(|one| one.kind == NetworkKind::Segment);
                all.skip(peer.index(segments)).take(1).for_each(|one| one.ports.push(port));
            }
        }
        let mut ports: Vec<Port> = Vec::new();
        for tunnel in tunnels {
            let node = tunnel.index(lab.nodes.len());
            if ports.iter().all(|port| port.node != node) {
                let rows = &mut lab.nodes[node].rows;
                rows.push(Row {
                    kind: RowKind::Tunnel,
                    label: "tunl0".to_owned(),
                    text: "ipip".to_owned(),
                });
                ports.push(Port { node, row: rows.len() - 1 });
            }
        }
        if ports.len() > 1 {
            let (kind, name) = (NetworkKind::Tunnel, "ipip".to_owned());
            lab.networks.push(Network { kind, name, ports });
        }
        lab
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_connected_lab_is_readable(lab in any_lab()) {
        let found = defects(&Layout::new(&lab));
        prop_assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn nodes_stand_where_the_file_puts_them() {
    let mut lab = big(6);
    // The client on the right, the load balancer below the servers.
    for (node, at) in [(0, [7, 0]), (2, [3, 9]), (3, [3, 1]), (4, [3, 0]), (5, [3, 2])] {
        lab.nodes[node].at = Some(at);
    }
    assert_readable("with places", &lab);
    let layout = Layout::new(&lab);
    let (x, y) = (|node: usize| layout.boxes[node].rect.x, |node: usize| layout.boxes[node].rect.y);
    assert!((1..6).all(|node| x(node) < x(0)), "{:?}", layout.boxes);
    assert!([2, 3, 4].iter().all(|node| x(*node) == x(5)));
    assert!(y(4) < y(3) && y(3) < y(5) && y(5) < y(2));
}

#[test]
fn the_check_finds_what_is_wrong() {
    let lab = big(6);
    let layout = Layout::new(&lab);
    let spoiled = |spoil: fn(&mut Layout)| {
        let mut layout = layout.clone();
        spoil(&mut layout);
        defects(&layout).join("\n")
    };
    for (spoil, expected) in [
        (
            (|layout| layout.boxes[1].rect = layout.boxes[0].rect) as fn(&mut Layout),
            "boxes 0 and 1 overlap",
        ),
        (|layout| layout.boxes[3].rect.width = 100, "is not inside of its box"),
        (|layout| layout.boxes[0].texts[1].y -= 10, "`client` and `client` overlap"),
        (|layout| layout.width -= 100, "outside of the picture"),
        (|layout| layout.wires[0].stubs[0].x2 += 40, "wire 0 runs through a box"),
        (
            |layout| layout.wires[1].stubs = layout.wires[0].stubs.clone(),
            "wires 0 and 1 lie on one another",
        ),
        (
            |layout| {
                let line = layout.wires[2].bars[0];
                layout.wires[2].label.as_mut().unwrap().rect.y = line.y1;
            },
            "runs through the name",
        ),
    ] {
        let found = spoiled(spoil);
        assert!(found.contains(expected), "no `{expected}` in {found}");
    }
}

#[test]
fn nothing_of_a_text_is_markup_in_a_picture() {
    let mut lab = big(6);
    lab.name = "<script>alert(1)</script>".to_owned();
    lab.nodes[0].rows[0].text = "\"/><script>\u{1b}[2J\u{0}".to_owned();
    lab.nodes[3].name = "ä & ö <b>".repeat(20);
    let text = svg(&lab, &Layout::new(&lab), SvgOptions { prefix: "a-", is_file: true });
    let read = roxmltree::Document::parse(&text).unwrap();
    let names: Vec<&str> = read
        .descendants()
        .filter(|one| one.is_element())
        .map(|one| one.tag_name().name())
        .collect();
    for name in names {
        assert!(
            ["svg", "title", "desc", "style", "rect", "g", "path", "text"].contains(&name),
            "{name}"
        );
    }
    assert!(!text.contains('\u{1b}'));
    let title =
        read.descendants().find(|one| one.has_tag_name(("http://www.w3.org/2000/svg", "title")));
    assert_eq!(title.unwrap().text(), Some(lab.name.as_str()));
    assert!(defects(&Layout::new(&lab)).is_empty());
}
