//! From the parser's events to a [`Tree`]: one document, every key once, aliases copied in.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use labsim_codes::{Code, file};

use crate::collector::Collector;
use crate::messages::quote;
use crate::source::locate;
use crate::tree::{Kind, Node, NodeId, Tree};
use crate::{Source, Span, syntax};

/// How deep lists and mappings may stand in each other.
const DEPTH_LIMIT: usize = 64;
/// How many values aliases may add: an alias of aliases of aliases grows without bound.
const ALIAS_LIMIT: usize = 10_000;

/// The document of `source`; nothing if there is none or if it cannot be parsed, which is noted.
pub(crate) fn parse(source: &Source, collector: &mut Collector) -> Option<Tree> {
    let mut builder = Builder::new(collector);
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH_LIMIT,
        block_nesting_limit: DEPTH_LIMIT,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let mut span = span_of(*error.marker(), *error.marker());
                if let Some(character) = syntax::culprit(error.kind()) {
                    span = nearest(character, source.text(), span);
                }
                collector.add(span, syntax::code(error.kind()), syntax::sentence(error.kind()));
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
        }
        if documents > 1 {
            let message = "a second document begins here, and a file holds one; take it out";
            builder.collector.add(span_of(span.start, span.end), file::YAML_SYNTAX, message);
            break;
        }
        if !builder.take(event, span) {
            return None;
        }
    }
    let nodes = builder.nodes;
    if matches!(nodes.first(), None | Some(Node { kind: Kind::Nothing, .. })) {
        let message = match nodes.first() {
            Some(_) => "the document is empty; write something behind the `---`",
            None if source.text().trim().is_empty() => "the file is empty",
            None => "the file holds only comments",
        };
        collector.add(Span::default(), file::WRONG_TYPE, message);
        return None;
    }
    Some(Tree { nodes })
}

/// The character that an error is about. The parser's place is right behind it, or where the
/// scalar begins that it is in.
fn nearest(character: char, text: &str, span: Span) -> Span {
    let Some((before, behind)) = text.split_at_checked(span.bytes().start) else { return span };
    let just_before = before.trim_end_matches(character).len();
    match behind.find(character) {
        Some(0) => span,
        _ if just_before < before.len() => locate(text, just_before),
        Some(at) => locate(text, before.len() + at),
        None => span,
    }
}

fn span_of(start: Marker, end: Marker) -> Span {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file: 0,
        start: number(start.byte_offset().unwrap_or(0)),
        end: number(end.byte_offset().unwrap_or(0)),
        line: number(start.line()),
        column: number(start.col() + 1),
    }
}

/// A list or mapping whose end has not been seen.
struct Open {
    id: NodeId,
    anchor: usize,
    /// The key whose value comes next.
    key: Option<NodeId>,
    /// The keys so far, and the line of each.
    keys: HashMap<String, u32>,
}

fn too_many_aliases() -> String {
    format!("aliases repeat more than {ALIAS_LIMIT} values; write fewer")
}

struct Builder<'n> {
    collector: &'n mut Collector,
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// The finished nodes that an alias can name.
    anchors: HashMap<usize, NodeId>,
    aliased: usize,
}

impl<'n> Builder<'n> {
    fn new(collector: &'n mut Collector) -> Self {
        Self { collector, nodes: Vec::new(), open: Vec::new(), anchors: HashMap::new(), aliased: 0 }
    }

    /// Takes the next event; false if the document nests too deep to go on.
    fn take(&mut self, event: Event<'_>, at: granit_parser::Span) -> bool {
        let span = span_of(at.start, at.end);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                let plain = style == ScalarStyle::Plain;
                let kind = if plain && span.bytes().is_empty() {
                    if tag.is_some() { Kind::Broken } else { Kind::Nothing }
                } else {
                    Kind::Scalar { text: text.into_owned(), plain }
                };
                let id = self.add(span, kind);
                self.anchors.insert(anchor, id);
                self.attach(id);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                return self.begin(span, anchor, Kind::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), at);
                return self.begin(span, anchor, Kind::Map(Vec::new()));
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let id = self.copy_anchor(anchor, span);
                self.attach(id);
            }
            Event::UnresolvedAlias(name) => {
                let message = format!(
                    "nothing before this place is named {}; give the value an anchor, or quote the \
                     text if the `*` belongs to it",
                    quote(&format!("&{name}"))
                );
                self.collector.add(span, file::YAML_SYNTAX, message);
                let id = self.add(span, Kind::Broken);
                self.attach(id);
            }
            _ => {}
        }
        true
    }

    fn add(&mut self, span: Span, kind: Kind) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node { span, kind, last: id });
        id
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, at: granit_parser::Span) {
        if let Some(tag) = tag {
            let span = at.tag_span().map_or(span_of(at.start, at.end), |s| span_of(s.start, s.end));
            let message =
                format!("tags such as {} are not used here; take it out", quote(&tag.original()));
            self.collector.add(span, file::YAML_SYNTAX, message);
        }
    }

    fn begin(&mut self, span: Span, anchor: usize, kind: Kind) -> bool {
        if self.open.len() >= DEPTH_LIMIT {
            self.collector.add(span, file::FILE_TOO_LARGE, syntax::too_deep());
            return false;
        }
        let id = self.add(span, kind);
        self.open.push(Open { id, anchor, key: None, keys: HashMap::new() });
        true
    }

    fn end(&mut self) {
        if let Some(Open { id, anchor, .. }) = self.open.pop() {
            let last = self.nodes.len() - 1;
            self.nodes[id].last = last;
            self.anchors.insert(anchor, id);
            self.attach(id);
        }
    }

    /// Puts a finished node into the list or mapping that it stands in.
    fn attach(&mut self, id: NodeId) {
        let Some(open) = self.open.last_mut() else { return };
        if let Kind::List(items) = &mut self.nodes[open.id].kind {
            items.push(id);
            return;
        }
        let Some(key) = open.key.take() else {
            open.key = Some(id);
            return;
        };
        let span = self.nodes[key].span;
        if matches!(self.nodes[id].kind, Kind::Nothing) {
            // The parser puts it behind the colon; readers look for it by its key.
            self.nodes[id].span = span;
        }
        let map = open.id;
        let problem = match &self.nodes[key].kind {
            Kind::Scalar { text, plain: true } if text == "<<" => {
                let message = "merge keys are not used here; write the keys themselves";
                Some((file::YAML_SYNTAX, message.to_owned()))
            }
            Kind::Scalar { text, .. } => match open.keys.get(text) {
                Some(line) => Some((
                    file::DUPLICATE_KEY,
                    format!(
                        "the key {} is given twice, first on line {line}; keep one of \
                         them",
                        quote(text)
                    ),
                )),
                None => {
                    open.keys.insert(text.clone(), span.line);
                    None
                }
            },
            Kind::Nothing => {
                let message = "a key is missing before the `:`; write one";
                Some((file::YAML_SYNTAX, message.to_owned()))
            }
            Kind::Broken => None,
            _ => {
                let message = "a key must be text, and this is a list or a map; write text";
                Some((file::YAML_SYNTAX, message.to_owned()))
            }
        };
        if let Some((code, message)) = problem {
            self.collector.add(span, code, message);
        } else if !matches!(self.nodes[key].kind, Kind::Broken)
            && let Kind::Map(entries) = &mut self.nodes[map].kind
        {
            entries.push((key, id));
        }
    }

    fn copy_anchor(&mut self, anchor: usize, span: Span) -> NodeId {
        if self.aliased > ALIAS_LIMIT {
            // Said where the limit was passed.
            return self.add(span, Kind::Broken);
        }
        let problem = match self.anchors.get(&anchor) {
            Some(&target) => match self.copy(target, self.open.len()) {
                Ok(id) => {
                    self.nodes[id].span = span;
                    return id;
                }
                Err(problem) => problem,
            },
            None => (
                file::YAML_SYNTAX,
                "this alias is inside the value that it refers to; write the value".to_owned(),
            ),
        };
        self.collector.add(span, problem.0, problem.1);
        self.add(span, Kind::Broken)
    }

    fn copy(&mut self, target: NodeId, depth: usize) -> Result<NodeId, (Code, String)> {
        self.aliased += 1;
        if self.aliased > ALIAS_LIMIT {
            return Err((file::FILE_TOO_LARGE, too_many_aliases()));
        }
        let (span, kind) = (self.nodes[target].span, self.nodes[target].kind.clone());
        if depth >= DEPTH_LIMIT && matches!(kind, Kind::List(_) | Kind::Map(_)) {
            return Err((file::FILE_TOO_LARGE, syntax::too_deep()));
        }
        let id = self.add(span, Kind::Broken);
        let kind = match kind {
            Kind::List(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| self.copy(item, depth + 1))
                    .collect::<Result<_, _>>()?,
            ),
            Kind::Map(entries) => {
                let mut copies = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    copies.push((self.copy(key, depth + 1)?, self.copy(value, depth + 1)?));
                }
                Kind::Map(copies)
            }
            simple => simple,
        };
        let last = self.nodes.len() - 1;
        self.nodes[id].kind = kind;
        self.nodes[id].last = last;
        Ok(id)
    }
}
