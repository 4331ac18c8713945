//! Where one capture of a text begins, and what its command and tcpdump say of it.

/// One capture of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Its first line, from 1.
    pub line: u64,
    /// The command behind a prompt.
    pub command: Option<String>,
    /// What stands before the command: user and host, as a rule.
    pub prompt: Option<String>,
    /// The interface that tcpdump listened on.
    pub interface: Option<String>,
    /// The file that tcpdump read.
    pub file: Option<String>,
    /// The link layer, as tcpdump calls it: `EN10MB (Ethernet)`.
    pub link: Option<String>,
    /// Packets were cut at this many bytes.
    pub snap_length: Option<u32>,
    /// Packets that the kernel had no room for.
    pub dropped: Option<u64>,
}

/// A line that is about a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// A prompt with the command of tcpdump or tshark.
    Command { prompt: String, command: String },
    /// `listening on ...`, `reading from file ...`.
    Banner {
        interface: Option<String>,
        file: Option<String>,
        link: Option<String>,
        snap_length: Option<u32>,
    },
    /// `N packets dropped by kernel`.
    Dropped(u64),
    /// Other figures at a capture's end.
    End,
    /// Another line of tcpdump's own.
    Other,
}

/// Further lines of both programs.
const OTHER: [&str; 4] =
    ["verbose output suppressed", "data link type ", "Running as user \"", "Capturing on '"];

impl About {
    /// What a line without quotes and spaces around it says of a capture.
    pub(super) fn of(line: &str) -> Option<Self> {
        let line = line.strip_prefix("^C").unwrap_or(line);
        let line = line.strip_prefix("tcpdump: ").unwrap_or(line);
        if let Some(rest) = line.strip_prefix("listening on ") {
            let (interface, rest) = rest.split_once(", ")?;
            let interface = Some(interface.to_owned());
            return Some(Self::Banner {
                interface,
                file: None,
                link: link(rest),
                snap_length: snap_length(rest),
            });
        }
        if let Some(rest) = line.strip_prefix("reading from file ") {
            let (file, rest) = rest.split_once(", ")?;
            let file = Some(file.to_owned());
            return Some(Self::Banner {
                interface: None,
                file,
                link: link(rest),
                snap_length: snap_length(rest),
            });
        }
        if OTHER.iter().any(|start| line.starts_with(start)) {
            return Some(Self::Other);
        }
        let count =
            line.split_once(' ').and_then(|(count, what)| Some((count.parse().ok()?, what)));
        if let Some((count, what)) = count {
            return match what {
                "packets dropped by kernel" | "packet dropped by kernel" => {
                    Some(Self::Dropped(count))
                }
                "packets captured"
                | "packet captured"
                | "packets received by filter"
                | "packet received by filter" => Some(Self::End),
                _ => None,
            };
        }
        command(line)
    }
}

fn link(text: &str) -> Option<String> {
    let (_, link) = text.split_once("link-type ")?;
    Some(link.split(", ").next()?.to_owned())
}

fn snap_length(text: &str) -> Option<u32> {
    ["capture size ", "snapshot length "]
        .iter()
        .find_map(|words| text.split_once(words)?.1.split(' ').next()?.parse().ok())
}

/// `[user@host ~]$ sudo tcpdump -nni eth0`, `[user@adc:Active:Standalone] ~ # tcpdump ...`
fn command(line: &str) -> Option<About> {
    let at = ["# ", "$ ", "% ", "> "]
        .iter()
        .filter_map(|end| line.find(end).map(|at| at + end.len()))
        .min()?;
    let (prompt, command) = line.split_at_checked(at)?;
    // `sudo`, `ip netns exec NAME` and paths may stand before it.
    let is_capture = command
        .split_whitespace()
        .take(6)
        .any(|word| matches!(word.rsplit('/').next(), Some("tcpdump" | "tshark")));
    is_capture.then(|| About::Command {
        prompt: prompt.trim().to_owned(),
        command: command.trim().to_owned(),
    })
}

/// Whether a command has an option of one letter, perhaps among others behind one dash.
pub(super) fn has_option(command: &str, option: char) -> bool {
    command
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('-'))
        .filter(|letters| !letters.starts_with('-'))
        .any(|letters| {
            letters
                .chars()
                .take_while(|letter| letter.is_ascii_alphabetic())
                .any(|letter| letter == option)
        })
}
