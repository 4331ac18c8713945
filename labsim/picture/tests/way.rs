//! The way of a packet is drawn along the wires, and nothing of it is markup.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use labsim_picture::{
    Header, HeaderField, Hop, Lab, Layout, SvgOptions, Way, WayEnd, defects, way_svg,
};
use std::path::Path;

fn lab() -> Lab {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let loaded = labsim_scenario::load(&root.join("scenarios/tacacs-ipip.yaml")).unwrap();
    Lab::of_scenario(&loaded.scenario)
}

fn header(text: &str, is_tunnel: bool) -> Header {
    let field = |text: &str, is_changed| HeaderField { text: text.to_owned(), is_changed };
    Header { is_tunnel, fields: vec![field(text, false), field("TTL 63", true)] }
}

fn hop(lab: &Lab, from: (&str, &str), to: (&str, &str)) -> Hop {
    Hop {
        from: lab.stop(from.0, from.1),
        to: lab.stop(to.0, to.1),
        is_answer: false,
        what: format!("{} → {}", from.0, to.0),
        headers: vec![header("IPIP", true), header("IP", false)],
    }
}

fn draw(way: &Way, slide: Option<usize>) -> String {
    let lab = lab();
    let options = SvgOptions { prefix: "", is_file: true };
    way_svg(&lab, &Layout::new(&lab), way, slide, options)
}

/// The corners of all arrows.
fn arrows(svg: &str) -> Vec<Vec<(i32, i32)>> {
    let read = roxmltree::Document::parse(svg).unwrap();
    let paths = read.descendants().filter(|one| one.attribute("class") == Some("hop"));
    let corners = paths.map(|path| {
        let path = path.attribute("d").unwrap();
        let spots = path.split(['M', 'L']).filter(|spot| !spot.is_empty());
        let number = |spot: &str| -> (i32, i32) {
            let (x, y) = spot.split_once(' ').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        spots.map(number).collect()
    });
    corners.collect()
}

#[test]
fn an_arrow_goes_along_its_wire_and_the_way_back_is_beside_it() {
    let lab = lab();
    let (router, rs1) = (("router", "servers"), ("rs1", "eth0"));
    let hops = vec![hop(&lab, router, rs1), hop(&lab, rs1, router)];
    let way = Way { hops, ..Way::default() };
    let svg = draw(&way, None);
    let [there, back] = arrows(&svg).try_into().unwrap();
    assert_eq!(there.len(), 4, "by the segment's bar: {there:?}");
    for pair in there.windows(2).chain(back.windows(2)) {
        assert!(pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1, "{pair:?}");
    }
    assert!(there.iter().all(|spot| !back.contains(spot)), "{there:?} {back:?}");
}

#[test]
fn hops_over_one_wire_the_same_way_share_an_arrow_with_their_numbers() {
    let lab = lab();
    let (router, lb) = (("router", "lb"), ("lb", "eth0"));
    let hops = (0..10).flat_map(|_| [hop(&lab, router, lb), hop(&lab, lb, router)]).collect();
    let svg = draw(&Way { hops, ..Way::default() }, None);
    assert_eq!(arrows(&svg).len(), 2);
    assert!(svg.contains(">1, 3 … 19<") && svg.contains(">2, 4 … 20<"), "{svg}");
    assert!(svg.contains("and 4 more hops"), "{svg}");
}

#[test]
fn numbers_cover_no_box_and_no_other_number() {
    let lab = lab();
    let ways = [("client", "eth0"), ("router", "client"), ("router", "lb"), ("lb", "eth0")];
    let more = [("lb", "eth0"), ("router", "lb"), ("router", "servers"), ("rs2", "eth0")];
    let hops: Vec<Hop> =
        ways.chunks(2).chain(more.chunks(2)).map(|it| hop(&lab, it[0], it[1])).collect();
    let svg = draw(&Way { hops, ..Way::default() }, None);
    let read = roxmltree::Document::parse(&svg).unwrap();
    let rects = |class: &str| -> Vec<labsim_picture::Rect> {
        let found = read.descendants().filter(|one| one.attribute("class") == Some(class));
        let number = |node: &roxmltree::Node<'_, '_>, name: &str| -> i32 {
            node.attribute(name).unwrap().parse().unwrap()
        };
        let rect = |node: roxmltree::Node<'_, '_>| labsim_picture::Rect {
            x: number(&node, "x"),
            y: number(&node, "y"),
            width: number(&node, "width"),
            height: number(&node, "height"),
        };
        found.map(rect).collect()
    };
    let (badges, boxes) = (rects("badge"), rects("box"));
    assert_eq!(badges.len(), 8, "four on arrows, four in rows");
    for (place, badge) in badges.iter().enumerate() {
        assert!(boxes.iter().chain(&badges[place + 1..]).all(|other| !other.overlaps(badge)));
    }
    assert!(defects(&Layout::new(&lab)).is_empty());
}

#[test]
fn nothing_of_a_way_is_markup_and_whatever_it_names_is_drawn() {
    let lab = lab();
    let evil = "</text><script>alert(1)</script>\u{1b}[2J".repeat(40);
    let mut lost = hop(&lab, ("lb", "eth0"), ("nobody", "eth0"));
    lost.what.clone_from(&evil);
    lost.headers = vec![header(&evil, true), Header { is_tunnel: false, fields: Vec::new() }];
    let mut nowhere = hop(&lab, ("x", "y"), ("z", "y"));
    nowhere.headers.clear();
    // Two ends that no wire joins.
    let apart = hop(&lab, ("client", "eth0"), ("rs1", "tunl0"));
    let end = WayEnd { at: lab.stop("rs1", "none"), text: evil.clone(), is_lost: true };
    let way = Way { title: evil, hops: vec![lost, nowhere, apart], ends: vec![end] };
    for slide in [None, Some(0), Some(2), Some(9)] {
        let svg = draw(&way, slide);
        let read = roxmltree::Document::parse(&svg).unwrap();
        assert!(read.descendants().all(|one| !one.has_tag_name("script")));
        assert!(!svg.contains('\u{1b}') && !svg.contains("<script"));
    }
}
