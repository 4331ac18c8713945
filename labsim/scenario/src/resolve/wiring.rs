//! Links and segments: which interfaces share a wire.

use super::Report;
use super::topology::{Lab, Port, node_name};
use crate::file::{RawLink, TopologyFile};
use crate::model::SegmentName;
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Span};

/// Most ports of a segment: a bridge has numbers for so many (`BR_MAX_PORTS` of the kernel's
/// net/bridge/br_private.h is 1024, and 0 is none).
const PORTS: usize = 1023;
/// Most links and segments.
const DOMAINS: usize = 8192;

/// Interfaces that hear each other: a link's two, or a segment's.
pub(super) struct Domain {
    /// The segment's name; `None` for a link.
    pub(super) segment: Option<SegmentName>,
    pub(super) ports: Vec<Port>,
    pub(super) mtu: Option<Located<u32>>,
    pub(super) offloads: bool,
}

/// Plugs every interface in: each exactly once.
pub(super) fn wire(file: &TopologyFile, lab: &mut Lab<'_>, report: &mut Report<'_>) {
    let number = file.links.len() + file.segments.len();
    if !report.limit(Span::default(), number, DOMAINS, "link") {
        return;
    }
    for link in file.links.iter() {
        let number = link.endpoints.len();
        if number != 2 {
            report.at(
                link.span,
                file::MISSING_VALUE,
                format!(
                    "a link has two ends, and this one has {number}; write \
                     `[\"a:eth0\", \"b:eth0\"]`, or a segment where more meet"
                ),
            );
        }
        plug(None, link, lab, report);
    }
    for (key, segment) in file.segments.iter() {
        let name = report.take(key.span, SegmentName::new(key));
        let number = segment.endpoints.len();
        if number == 0 {
            report.empty(segment.span, "this segment has no interface; name its `node:interface`s");
        }
        report.limit(segment.span, number, PORTS, "port");
        // A segment with an error of its own still plugs its interfaces in.
        let name = name.or_else(|| SegmentName::new("segment").ok());
        plug(name, segment, lab, report);
    }
    for draft in &lab.nodes {
        for interface in draft.interfaces.iter().filter(|one| one.plugged.is_none()) {
            let shown = format!("{}:{}", draft.name, interface.name);
            report.unmentioned(
                interface.span,
                &shown,
                format!(
                    "{} is not linked; name it in `links` or `segments`, or leave it out",
                    quoted(&shown)
                ),
            );
        }
    }
}

fn plug(
    segment: Option<SegmentName>,
    form: &Located<RawLink>,
    lab: &mut Lab<'_>,
    report: &mut Report<'_>,
) {
    let index = lab.domains.len();
    let mut ports = Vec::new();
    for text in &form.endpoints {
        let port = match find(text, lab) {
            Ok(port) => port,
            Err(NotFound::Wrong(message)) => {
                report.at(text.span, file::INVALID_VALUE, message);
                continue;
            }
            Err(NotFound::LeftOut) => continue,
            Err(NotFound::Absent(name, message)) => {
                report.absent(text.span, &name, message);
                continue;
            }
        };
        let (node, interface) = port;
        let shown = lab.show(port);
        let plugged = &mut lab.nodes[node].interfaces[interface].plugged;
        if let Some(first) = plugged {
            let line = report.line(first.span, text.span);
            report.at(
                text.span,
                file::DUPLICATE_VALUE,
                format!(
                    "{shown} is linked twice, first in {line}; give the node another interface"
                ),
            );
        } else {
            *plugged = Some(Located::new(index, text.span));
            ports.push(port);
        }
    }
    lab.domains.push(Domain { segment, ports, mtu: form.mtu, offloads: form.offloads });
}

enum NotFound {
    /// The text is wrong in itself.
    Wrong(String),
    /// It has an error where it is declared.
    LeftOut,
    /// No node or interface has this name.
    Absent(String, String),
}

/// The interface that `node:interface` names.
fn find(text: &str, lab: &Lab<'_>) -> Result<Port, NotFound> {
    let Some((node, interface)) = text.split_once(':') else {
        let shown = quoted(text);
        return Err(NotFound::Wrong(format!(
            "{shown} is not a valid `node:interface`; write it such as `lb:eth0`"
        )));
    };
    if lab.left_out.contains(node) {
        return Err(NotFound::LeftOut);
    }
    let known = node_name(node).ok().and_then(|name| lab.by_name.get(&name));
    let Some(&index) = known else {
        let nodes = lab.nodes.iter().map(|draft| &draft.name);
        let (shown, nodes) = (quoted(node), listed(nodes));
        let message = format!("unknown node {shown}; `nodes` has {nodes}");
        return Err(NotFound::Absent(node.to_owned(), message));
    };
    let draft = &lab.nodes[index];
    if draft.left_out.contains(interface) {
        return Err(NotFound::LeftOut);
    }
    draft.interface(interface).map(|place| (index, place)).ok_or_else(|| {
        let (shown, interfaces) = (quoted(interface), draft.interfaces.iter().map(|one| &one.name));
        let message =
            format!("`{}` has no interface {shown}; it has {}", draft.name, listed(interfaces));
        NotFound::Absent(interface.to_owned(), message)
    })
}
