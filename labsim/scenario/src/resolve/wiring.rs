//! Links and segments: which interfaces share a wire.

use super::Report;
use super::topology::{Lab, Port, interface_name, node_name};
use crate::file::{LinkForm, TopologyFile};
use crate::model::InterfaceName;
use crate::text::{listed, quoted};
use labsim_yaml::{Located, Span};

/// Most ports of a segment.
const PORTS: usize = 4096;
/// Most links and segments.
const DOMAINS: usize = 8192;

/// Interfaces that hear each other: a link's two, or a segment's.
pub(super) struct Domain {
    /// The segment's name; `None` for a link.
    pub(super) segment: Option<InterfaceName>,
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
        let number = endpoints(&link.value).len();
        if number != 2 {
            report.at(
                link.span,
                format!(
                    "a link has two ends, and this one has {number}; write \
                     `[\"a:eth0\", \"b:eth0\"]`, or a segment where more meet"
                ),
            );
        }
        plug(None, link, lab, report);
    }
    for (key, segment) in file.segments.iter() {
        let name = report.take(key.span, interface_name(key));
        let number = endpoints(&segment.value).len();
        if number == 0 {
            report.empty(
                segment.span,
                "nothing is plugged into this segment; name its `node:interface`s",
            );
        }
        if report.limit(segment.span, number, PORTS, "port") {
            // A segment with a bad name still plugs its interfaces in.
            let name = name.or_else(|| InterfaceName::new("segment").ok());
            plug(name, segment, lab, report);
        }
    }
    for draft in &lab.nodes {
        for interface in draft.interfaces.iter().filter(|one| one.plugged.is_none()) {
            let shown = format!("{}:{}", draft.name, interface.name);
            report.unmentioned(
                interface.span,
                &shown,
                format!(
                    "{} is linked to nothing; name it in `links` or `segments`, or leave it out",
                    quoted(&shown)
                ),
            );
        }
    }
}

fn endpoints(form: &LinkForm) -> &[Located<String>] {
    match form {
        LinkForm::List(list) => list,
        LinkForm::Map(fields) => &fields.endpoints,
    }
}

fn plug(
    segment: Option<InterfaceName>,
    form: &Located<LinkForm>,
    lab: &mut Lab<'_>,
    report: &mut Report<'_>,
) {
    let (mtu, offloads) = match &form.value {
        LinkForm::List(_) => (None, false),
        LinkForm::Map(fields) => (fields.mtu, fields.offloads),
    };
    let index = lab.domains.len();
    let mut ports = Vec::new();
    for text in endpoints(&form.value) {
        let port = match find(text, lab) {
            Ok(port) => port,
            Err(NotFound::Wrong(message)) => {
                report.at(text.span, message);
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
                format!(
                    "{shown} is linked twice, first in {line}; give the node another interface"
                ),
            );
        } else {
            *plugged = Some(Located::new(index, text.span));
            ports.push(port);
        }
    }
    lab.domains.push(Domain { segment, ports, mtu, offloads });
}

enum NotFound {
    /// The text is wrong in itself.
    Wrong(String),
    /// The name is a wrong one, as was said where it is declared.
    LeftOut,
    /// There is no node or interface of this name.
    Absent(String, String),
}

/// The interface that `node:interface` names.
fn find(text: &str, lab: &Lab<'_>) -> Result<Port, NotFound> {
    let Some((node, interface)) = text.split_once(':') else {
        let shown = quoted(text);
        return Err(NotFound::Wrong(format!(
            "{shown} is no `node:interface`; write it such as `lb:eth0`"
        )));
    };
    let name = node_name(node).ok();
    if name.is_none() && lab.lacks_some {
        return Err(NotFound::LeftOut);
    }
    let known = name.and_then(|name| lab.by_name.get(&name));
    let Some(&index) = known else {
        let nodes = lab.nodes.iter().map(|draft| &draft.name);
        let (shown, nodes) = (quoted(node), listed(nodes));
        let message = format!("there is no node {shown}; `nodes` has {nodes}");
        return Err(NotFound::Absent(node.to_owned(), message));
    };
    let draft = &lab.nodes[index];
    if interface_name(interface).is_err() && draft.lacks_some {
        return Err(NotFound::LeftOut);
    }
    draft.interface(interface).map(|place| (index, place)).ok_or_else(|| {
        let (shown, interfaces) = (quoted(interface), draft.interfaces.iter().map(|one| &one.name));
        let message =
            format!("`{}` has no interface {shown}; it has {}", draft.name, listed(interfaces));
        NotFound::Absent(interface.to_owned(), message)
    })
}
