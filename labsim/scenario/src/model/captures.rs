//! Which frames are captured.

use super::{AddressMatch, FrameMatch, InterfaceName, NodeName, OuterMatch, Place};

/// What is captured of what passes the interfaces of a lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    /// Where the file says so; `None` if it says nothing.
    pub place: Option<Place>,
    /// The capture points; `None` for all.
    pub points: Option<Vec<PointPattern>>,
    /// A frame that agrees with one of these is captured; without any, every frame is.
    pub filter: Vec<FrameMatch>,
    /// Bytes of each frame that are captured; `None` for all.
    pub snaplen: Option<u32>,
}

/// Interfaces by their names, `*` in them for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointPattern {
    /// The node.
    pub node: String,
    /// The interface; `None` for all of the node's.
    pub interface: Option<String>,
}

impl PointPattern {
    /// Reads `node:interface` or `node`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((node, interface)) => {
                Self { node: node.to_owned(), interface: Some(interface.to_owned()) }
            }
            None => Self { node: text.to_owned(), interface: None },
        }
    }

    /// Whether an interface is one of these.
    #[must_use]
    pub fn matches(&self, node: &str, interface: &str) -> bool {
        let named = |pattern: &String| matches_wildcard(pattern, interface);
        matches_wildcard(&self.node, node) && self.interface.as_ref().is_none_or(named)
    }
}

impl Captures {
    /// Whether everything is captured that passes any interface.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.points.is_none() && self.filter.is_empty() && self.snaplen.is_none()
    }

    /// Whether an interface is a capture point.
    #[must_use]
    pub fn takes(&self, node: &NodeName, interface: &InterfaceName) -> bool {
        self.points.as_ref().is_none_or(|points| {
            points.iter().any(|pattern| pattern.matches(node.as_str(), interface.as_str()))
        })
    }

    /// Whether all frames that agree with `matching` pass the filter.
    #[must_use]
    pub fn passes(&self, matching: &FrameMatch) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|filter| implies(matching, filter))
    }
}

/// Whether a text is a pattern's, in which `*` stands for any characters.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(found) = left.find(part) else { return false };
        left = &left[found + part.len()..];
    }
    true
}

/// Whether every frame of `narrow` is one of `wide`.
fn implies(narrow: &FrameMatch, wide: &FrameMatch) -> bool {
    let FrameMatch {
        direction,
        source,
        destination,
        protocol,
        source_port,
        destination_port,
        ttl,
        length,
        tos,
        dont_fragment,
        flags,
        sequence,
        acknowledgement,
        payload,
        icmp,
        outer,
    } = wide;
    let outer_implied = match (&narrow.outer, outer) {
        (_, None) | (Some(None), Some(None)) => true,
        (Some(Some(narrow)), Some(Some(wide))) => outer_implies(narrow, wide),
        _ => false,
    };
    let icmp_implied = match (narrow.icmp, icmp) {
        (_, None) => true,
        (Some(narrow), Some(wide)) => {
            narrow.kind == wide.kind && (wide.code.is_none() || narrow.code == wide.code)
        }
        (None, Some(_)) => false,
    };
    agrees(narrow.direction, *direction)
        && addresses_imply(narrow.source.as_ref(), source.as_ref())
        && addresses_imply(narrow.destination.as_ref(), destination.as_ref())
        && agrees(narrow.protocol, *protocol)
        && agrees(narrow.source_port, *source_port)
        && agrees(narrow.destination_port, *destination_port)
        && agrees(narrow.ttl, *ttl)
        && agrees(narrow.length, *length)
        && agrees(narrow.tos, *tos)
        && agrees(narrow.dont_fragment, *dont_fragment)
        && agrees(narrow.flags, *flags)
        && agrees(narrow.sequence, *sequence)
        && agrees(narrow.acknowledgement, *acknowledgement)
        && agrees(narrow.payload, *payload)
        && icmp_implied
        && outer_implied
}

fn outer_implies(narrow: &OuterMatch, wide: &OuterMatch) -> bool {
    let OuterMatch { source, destination, protocol, ttl, length, tos, dont_fragment } = wide;
    addresses_imply(narrow.source.as_ref(), source.as_ref())
        && addresses_imply(narrow.destination.as_ref(), destination.as_ref())
        && agrees(narrow.protocol, *protocol)
        && agrees(narrow.ttl, *ttl)
        && agrees(narrow.length, *length)
        && agrees(narrow.tos, *tos)
        && agrees(narrow.dont_fragment, *dont_fragment)
}

/// Whether a field that is `narrow` is always `wide`.
fn agrees<T: PartialEq>(narrow: Option<T>, wide: Option<T>) -> bool {
    wide.is_none() || narrow == wide
}

fn addresses_imply(narrow: Option<&AddressMatch>, wide: Option<&AddressMatch>) -> bool {
    let Some(wide) = wide else { return true };
    narrow.is_some_and(|narrow| {
        let is_inside = |net| wide.prefixes().iter().any(|one| one.contains(net));
        narrow.prefixes().iter().all(is_inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_does() {
        for (pattern, text, is_match) in [
            ("rs1", "rs1", true),
            ("rs1", "rs10", false),
            ("rs*", "rs10", true),
            ("rs*", "xrs1", false),
            ("*", "", true),
            ("*1", "rs1", true),
            ("*1", "rs12", false),
            ("r*s*1", "rxs21", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches_wildcard(pattern, text), is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn a_node_without_an_interface_is_all_of_its_interfaces() {
        let (all, one) = (PointPattern::parse("rs*"), PointPattern::parse("rs*:eth0"));
        assert!(all.matches("rs1", "tunl0") && all.matches("rs2", "lo"));
        assert!(one.matches("rs1", "eth0") && !one.matches("rs1", "eth1"));
        assert!(!all.matches("lb", "eth0"));
    }

    #[test]
    fn a_filter_passes_what_is_narrower_in_every_field_and_nothing_wider() {
        let net = |text: &str| AddressMatch::new(vec![text.parse().unwrap()]);
        let wide =
            FrameMatch { source: net("10.1.0.0/16"), protocol: Some(6), ..FrameMatch::default() };
        let captures = Captures { filter: vec![wide.clone()], ..Captures::default() };
        let narrow =
            FrameMatch { source: net("10.1.2.0/24"), source_port: Some(49), ..wide.clone() };
        assert!(captures.passes(&wide) && captures.passes(&narrow));
        for other in [
            FrameMatch { source: net("10.0.0.0/8"), ..wide.clone() },
            FrameMatch { source: None, ..wide.clone() },
            FrameMatch { protocol: None, ..wide.clone() },
            FrameMatch { protocol: Some(17), ..wide },
        ] {
            assert!(!captures.passes(&other), "{other:?}");
        }
        assert!(Captures::default().passes(&FrameMatch::default()));
    }
}
