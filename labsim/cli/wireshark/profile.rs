//! The texts of a Wireshark profile.

use labsim_scenario::model::NodeName;
use std::fmt::Write as _;

/// Title and format of each column (`tshark -G column-formats`); the fields are those of Wireshark 4.0. A
/// number after a field is the header that is shown, the first being the outermost.
const COLUMNS: [(&str, &str); 10] = [
    ("No.", "%m"),
    ("Time", "%t"),
    ("Node and interface", "%Cus:frame.interface_name:0:R"),
    ("Direction", "%Cus:frame.packet_flags_direction:0:R"),
    ("Outer source", "%Cus:ip.src or ipv6.src:1:R"),
    ("Outer destination", "%Cus:ip.dst or ipv6.dst:1:R"),
    ("Inner source", "%s"),
    ("Inner destination", "%d"),
    ("Protocol", "%p"),
    ("Info", "%i"),
];

/// Backgrounds of nodes, on which black text has a contrast of 10 or more; a colour comes again after the last.
const COLOURS: [[u8; 3]; 12] = [
    [0xdd, 0xf4, 0xff],
    [0xff, 0xf8, 0xc5],
    [0xda, 0xfb, 0xe1],
    [0xff, 0xeb, 0xe9],
    [0xfb, 0xef, 0xff],
    [0xff, 0xe3, 0xc8],
    [0xe2, 0xe8, 0xf0],
    [0xc8, 0xf0, 0xea],
    [0xff, 0xd6, 0xec],
    [0xe6, 0xf0, 0xb8],
    [0xcf, 0xdc, 0xff],
    [0xec, 0xe0, 0xd1],
];

/// What decodes payloads, as text without control characters.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) tacacs: Option<String>,
    pub(super) radius: Option<String>,
}

/// The file `preferences`.
pub(super) fn preferences(keys: &Keys, deinterlace: bool) -> String {
    let columns: Vec<String> =
        COLUMNS.iter().map(|(title, format)| format!("\t\"{title}\", \"{format}\"")).collect();
    let mut out = format!(
        "# Written by labsim wireshark-profile.\n\n\
         gui.column.format: \n{}\n\n\
         # A packet is captured at each interface on its way. This analysis would take the later ones for\n\
         # retransmissions and duplicate acknowledgements.\n\
         tcp.analyze_sequence_numbers: FALSE\n",
        columns.join(",\n")
    );
    if deinterlace {
        out.push_str(
            "\n# Packets at different interfaces are different conversations.\n\
             protocols.conversation_deinterlacing_key: .MI\n",
        );
    }
    for (name, key) in [("tacplus.key", &keys.tacacs), ("radius.shared_secret", &keys.radius)] {
        if let Some(key) = key {
            let _ = write!(out, "\n{name}: {key}\n");
        }
    }
    out
}

/// The file `colorfilters`: a rule for each node. The names of interfaces in a capture are `NODE:INTERFACE`.
pub(super) fn colours(nodes: &[NodeName]) -> String {
    let mut out = String::from("# Written by labsim wireshark-profile.\n");
    for (node, colour) in nodes.iter().zip(COLOURS.iter().cycle()) {
        let [red, green, blue] = colour.map(|value| u16::from(value) * 257);
        let length = node.as_str().len() + 1;
        let _ = writeln!(
            out,
            "@{node}@frame.interface_name[0:{length}] == \"{node}:\"@[{red},{green},{blue}][0,0,0]"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126f64.mul_add(linear[0], 0.7152f64.mul_add(linear[1], 0.0722 * linear[2]))
    }

    #[test]
    fn black_text_is_readable_on_every_colour_and_no_colour_comes_twice() {
        for (at, colour) in COLOURS.into_iter().enumerate() {
            assert!((luminance(colour) + 0.05) / 0.05 >= 10.0, "{colour:?}");
            assert!(!COLOURS[..at].contains(&colour), "{colour:?}");
        }
    }

    #[test]
    fn a_rule_matches_a_node_and_not_one_whose_name_begins_alike() {
        let nodes = ["rs1", "rs10"].map(|name| NodeName::new(name).unwrap());
        let text = colours(&nodes);
        assert!(text.contains("@rs1@frame.interface_name[0:4] == \"rs1:\"@[56797,62708,65535]"));
        assert!(text.contains("@rs10@frame.interface_name[0:5] == \"rs10:\"@["));
    }

    #[test]
    fn keys_are_in_the_preferences_only_if_there_are_some() {
        let none = preferences(&Keys::default(), false);
        assert!(!none.contains("key") && !none.contains("secret"), "{none}");
        let keys = Keys { tacacs: Some("a b".into()), radius: Some("c".into()) };
        let both = preferences(&keys, true);
        for line in ["tacplus.key: a b", "radius.shared_secret: c"] {
            assert!(both.lines().any(|one| one == line), "{both}");
        }
        assert!(both.contains("\nprotocols.conversation_deinterlacing_key: .MI\n"), "{both}");
    }
}
