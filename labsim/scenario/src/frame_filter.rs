//! Header fields of frames that are given alone, in the words of an expectation's `match`.

use crate::file::RawFrameMatch;
use crate::model::FrameMatch;
use crate::resolve::{Report, lone_match};
use labsim_codes::file;
use labsim_yaml::{Diagnostics, Document, Partial, Source};

/// Reads header fields: `destination_port: 49, outer: none`, in braces or without.
///
/// # Errors
/// All of them, each with its place; `name` is what messages call the text.
pub fn frame_match(name: &str, text: &str) -> Result<FrameMatch, Diagnostics> {
    let is_braced = text.trim_start().starts_with('{');
    let text = if is_braced { text.to_owned() } else { format!("{{{text}}}") };
    let document = Document::parse(Source::new(name, text));
    let Partial { value, mut diagnostics, omitted } = document.read_partial::<RawFrameMatch>();
    let Some(written) = value else { return Err(diagnostics) };
    let mut report = Report::new(&document, &diagnostics, omitted);
    for number in [written.seq, written.ack].into_iter().flatten() {
        let message = "TCP's numbers are counted from a flow's first one, which may have passed before; leave \
            this out";
        report.at(number.span, file::NO_EFFECT, message);
    }
    let matching = lone_match(&written, &mut report);
    diagnostics.extend(report.into_parts().0);
    match matching {
        Ok(matching) if diagnostics.is_empty() => Ok(matching),
        _ => Err(diagnostics),
    }
}

#[cfg(test)]
mod tests {
    use super::frame_match;

    #[test]
    fn fields_are_read_with_and_without_braces_and_what_is_wrong_is_named() {
        let read = frame_match("filter", "protocol: tcp, destination_port: 49").unwrap();
        assert_eq!((read.protocol, read.destination_port), (Some(6), Some(49)));
        assert_eq!(frame_match("filter", "{protocol: 6, destination_port: 49}").unwrap(), read);
        let wrong = |text: &str| frame_match("filter", text).unwrap_err().to_string();
        assert!(wrong("destination_prt: 49").contains("did you mean"));
        assert!(wrong("protocol: tpc").contains("not a valid IP protocol"));
        assert!(wrong("seq: 1").contains("which may have passed before"));
        assert!(!wrong("port 49").is_empty());
        assert!(!wrong("}{").is_empty());
    }
}
