//! The words that a scenario is selected by.

use super::Report;
use crate::model::Tag;
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::BTreeSet;

/// Most tags of a scenario.
const TAGS: usize = 16;

/// Resolves the tags.
pub(super) fn tags(written: &[Located<String>], report: &mut Report<'_>) -> BTreeSet<Tag> {
    let mut tags = BTreeSet::new();
    if let Some(beyond) = written.get(TAGS) {
        report.limit(beyond.span, written.len(), TAGS, "tag");
    }
    for text in written.iter().take(TAGS) {
        let Some(tag) = report.take(text.span, Tag::new(text)) else { continue };
        if !tags.insert(tag) {
            let message = format!("the tag {} is there already; remove one", quoted(text));
            report.at(text.span, file::DUPLICATE_VALUE, message);
        }
    }
    tags
}
