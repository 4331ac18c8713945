//! A run as JUnit XML.
//!
//! There is no standard; this keeps to what the readers share: Jenkins's `junit` and `xunit` plugins
//! (whose `junit-10.xsd` orders a suite's properties before its test cases) and GitLab's unit test
//! reports, which shows `file` as well. Of several failures in a test case Jenkins keeps one, so
//! there is one. Times are seconds.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

/// A run, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) version: &'static str,
    pub(super) rights: String,
    pub(super) seconds: f64,
    pub(super) cases: Vec<Case>,
}

/// A scenario.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    file: String,
    /// The folder that the file is in.
    folder: String,
    pub(super) seconds: f64,
    pub(super) ended: Ended,
    /// The sentences of failed expectations.
    pub(super) failed: Vec<String>,
    /// Why steps did not go as expected, in lines.
    pub(super) why: String,
    /// The failed expectations, in lines.
    pub(super) details: String,
    /// What else there is to tell, in lines.
    pub(super) told: String,
}

/// What became of a scenario.
#[derive(Debug)]
pub(super) enum Ended {
    NotBegun,
    NotYet,
    Passed,
    Failed,
    Skipped(String),
    Broken(String),
    Interrupted(String),
}

impl Case {
    /// One that has not begun.
    pub(super) fn new(name: &str, file: &Path) -> Self {
        let folder = file.parent().map(|it| it.to_string_lossy().into_owned());
        Self {
            name: name.to_owned(),
            file: file.to_string_lossy().into_owned(),
            folder: folder.filter(|it| !it.is_empty()).unwrap_or_else(|| ".".into()),
            seconds: 0.0,
            ended: Ended::NotBegun,
            failed: Vec::new(),
            why: String::new(),
            details: String::new(),
            told: String::new(),
        }
    }

    /// The element that says that it did not pass, its `type` and its `message`.
    fn verdict(&self) -> Option<(&'static str, &'static str, String)> {
        match &self.ended {
            Ended::Passed => None,
            Ended::Failed => Some(("failure", "expectation", self.failure())),
            Ended::Skipped(reason) => Some(("skipped", "cannot run here", reason.clone())),
            Ended::Broken(reason) => Some(("error", "broken", reason.clone())),
            Ended::Interrupted(reason) => Some(("error", "interrupted", reason.clone())),
            Ended::NotYet => {
                Some(("error", "interrupted", "labsim ended before it did".to_owned()))
            }
            Ended::NotBegun => {
                Some(("skipped", "interrupted", "labsim ended before it began".to_owned()))
            }
        }
    }

    /// What a list of failed tests shows: the first sentence, and how many more there are.
    fn failure(&self) -> String {
        let first = self.failed.first().map_or("an expectation did not hold", String::as_str);
        match self.failed.len() {
            0 | 1 => first.to_owned(),
            n => format!("{first} (and {} more)", n - 1),
        }
    }

    fn write<W: Write>(&self, out: &mut Writer<W>) -> io::Result<()> {
        let element = out.create_element("testcase").with_attributes([
            ("classname", attribute(&self.folder).as_ref()),
            ("name", attribute(&self.name).as_ref()),
            ("file", attribute(&self.file).as_ref()),
            ("time", seconds(self.seconds).as_str()),
        ]);
        let verdict = self.verdict();
        if verdict.is_none() && self.told.is_empty() {
            return element.write_empty().map(drop);
        }
        element
            .write_inner_content(|out| {
                if let Some((element, kind, message)) = &verdict {
                    let element = out.create_element(*element).with_attributes([
                        ("message", attribute(message).as_ref()),
                        ("type", *kind),
                    ]);
                    let text = format!("{}{}", self.why, self.details);
                    match text.is_empty() {
                        true => element.write_empty()?,
                        false => element.write_text_content(BytesText::new(&visible(&text)))?,
                    };
                }
                if !self.told.is_empty() {
                    let text = visible(&self.told);
                    out.create_element("system-out").write_text_content(BytesText::new(&text))?;
                }
                Ok(())
            })
            .map(drop)
    }
}

impl Document {
    /// Writes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Writer::new_with_indent(out, b' ', 2);
        out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let count = |element: &str| {
            let verdicts = self.cases.iter().filter_map(Case::verdict);
            verdicts.filter(|(it, ..)| *it == element).count().to_string()
        };
        let counts = [
            ("name", "labsim".to_owned()),
            ("tests", self.cases.len().to_string()),
            ("failures", count("failure")),
            ("errors", count("error")),
            ("skipped", count("skipped")),
            ("time", seconds(self.seconds)),
        ];
        let counts = || counts.iter().map(|(name, value)| (*name, value.as_str()));
        out.create_element("testsuites").with_attributes(counts()).write_inner_content(|out| {
            out.create_element("testsuite").with_attributes(counts()).write_inner_content(
                |out| {
                    out.create_element("properties").write_inner_content(|out| {
                        for (name, value) in [("version", self.version), ("rights", &self.rights)] {
                            out.create_element("property")
                                .with_attributes([("name", name), ("value", &attribute(value))])
                                .write_empty()?;
                        }
                        Ok(())
                    })?;
                    self.cases.iter().try_for_each(|case| case.write(out))
                },
            )?;
            Ok(())
        })?;
        out.into_inner().write_all(b"\n")
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}

/// Text as XML can carry it (XML 1.0, section 2.2, `Char`): a character that it has no way to
/// write, and control characters that a terminal would obey, are shown as Rust writes them.
fn visible(text: &str) -> Cow<'_, str> {
    let plain = |c: char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// The same in one line: a parser reads every white space in an attribute as a blank.
fn attribute(text: &str) -> Cow<'_, str> {
    match visible(text) {
        text if text.contains(['\n', '\t']) => Cow::Owned(text.replace(['\n', '\t'], " ")),
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(document: &Document) -> String {
        let mut bytes = Vec::new();
        document.write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Any text, and often what XML cannot carry or gives a meaning.
    fn hostile() -> impl Strategy<Value = String> {
        let special: Vec<char> = "\0\u{1b}\r\n\t\u{85}\u{fffe}\u{ffff}<>&\"']".chars().collect();
        let character = prop_oneof![any::<char>(), prop::sample::select(special)];
        prop::collection::vec(character, 0..24).prop_map(String::from_iter)
    }

    proptest! {
        /// Whatever a server logged or a file is called: an independent parser reads it back.
        #[test]
        fn hostile_text_makes_valid_xml_and_comes_back(
            texts in prop::array::uniform4(hostile()),
            kind in 0..6usize,
        ) {
            let [name, details, reason, told] = texts;
            let mut case = Case::new(&name, Path::new("a/b.yaml"));
            case.ended = match kind {
                0 => Ended::Passed,
                1 => Ended::Failed,
                2 => Ended::Skipped(reason.clone()),
                3 => Ended::Broken(reason.clone()),
                4 => Ended::Interrupted(reason.clone()),
                _ => Ended::NotYet,
            };
            case.failed.push(reason.clone());
            case.details.clone_from(&details);
            case.told.clone_from(&told);
            let text = written(&Document { cases: vec![case], ..Document::default() });
            let document = roxmltree::Document::parse(&text).unwrap();
            let find = |tag: &str| document.descendants().find(|it| it.has_tag_name(tag));
            let case = find("testcase").unwrap();
            prop_assert_eq!(case.attribute("name").unwrap(), attribute(&name));
            let said = find("system-out").and_then(|it| it.text()).unwrap_or_default();
            prop_assert_eq!(said, visible(&told));
            let verdict = ["failure", "skipped", "error"].into_iter().find_map(find);
            prop_assert_eq!(verdict.is_none(), kind == 0);
            if let Some(verdict) = verdict {
                prop_assert_eq!(verdict.text().unwrap_or_default(), visible(&details));
                if kind < 5 {
                    let message = verdict.attribute("message").unwrap();
                    prop_assert_eq!(message, attribute(&reason));
                }
            }
        }
    }

    #[test]
    fn characters_that_xml_has_not_are_shown_and_not_dropped() {
        let text = "a\u{0}b\u{1b}[31mc\u{fffe}\r\n\td";
        assert_eq!(visible(text), "a\\u{0}b\\u{1b}[31mc\\u{fffe}\\u{d}\n\td");
        assert_eq!(attribute("two\nlines"), "two lines");
    }

    #[test]
    fn the_elements_come_in_the_order_that_the_schema_wants() {
        let mut case = Case::new("a", Path::new("scenarios/a.yaml"));
        case.ended = Ended::Failed;
        case.failed = vec!["no".into(), "neither".into()];
        case.told = "told\n".into();
        let document = Document {
            version: "0.1.0",
            rights: "root".into(),
            seconds: 2.0,
            cases: vec![case, Case::new("b", Path::new("b.yaml"))],
        };
        let text = written(&document);
        let parsed = roxmltree::Document::parse(&text).unwrap();
        let elements = parsed.descendants().filter(|it| it.is_element());
        let tags: Vec<_> = elements.map(|it| it.tag_name().name()).collect();
        let wanted = [
            "testsuites",
            "testsuite",
            "properties",
            "property",
            "property",
            "testcase",
            "failure",
            "system-out",
            "testcase",
            "skipped",
        ];
        assert_eq!(tags, wanted);
        assert!(text.contains("classname=\"scenarios\" name=\"a\" file=\"scenarios/a.yaml\""));
        assert!(text.contains("message=\"no (and 1 more)\""), "{text}");
        assert!(text.ends_with("</testsuites>\n"), "{text}");
    }
}
