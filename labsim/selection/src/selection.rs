//! All that the command line says about which scenarios run.

use crate::filter::{Candidate, Filter};
use crate::pattern::NamePattern;

/// Which of the found scenarios run: those with one of the names, that match one of the filters, and
/// match none of the filters to skip. Without names every name will do, and without filters every
/// scenario.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Patterns of names.
    pub names: Vec<NamePattern>,
    /// Filters, of which one has to match.
    pub filters: Vec<Filter>,
    /// Filters of which none may match.
    pub skips: Vec<Filter>,
}

impl Selection {
    /// Whether the scenario runs.
    #[must_use]
    pub fn selects(&self, candidate: &Candidate<'_>) -> bool {
        let is_named = self.names.iter().any(|name| name.matches(candidate.name, candidate.id));
        let matches = |filter: &Filter| filter.matches(candidate);
        let is_matched = self.filters.iter().any(|filter| matches(filter) != Some(false));
        let is_skipped = self.skips.iter().any(|filter| matches(filter) == Some(true));
        (self.names.is_empty() || is_named)
            && (self.filters.is_empty() || is_matched)
            && !is_skipped
    }

    /// Names that match none of the candidates.
    pub fn unmatched_names<'a>(
        &'a self,
        candidates: &[Candidate<'_>],
    ) -> impl Iterator<Item = &'a str> {
        let matches = |pattern: &NamePattern| {
            candidates.iter().any(|candidate| pattern.matches(candidate.name, candidate.id))
        };
        let unmatched: Vec<&str> =
            self.names.iter().filter(|name| !matches(name)).map(NamePattern::text).collect();
        unmatched.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate<'a>(name: &'a str, tags: Option<&'a [String]>) -> Candidate<'a> {
        Candidate { name, id: name, file: name, relative: name, tags }
    }

    fn selection(names: &[&str], filters: &[&str], skips: &[&str]) -> Selection {
        Selection {
            names: names.iter().map(|name| NamePattern::new(name).unwrap()).collect(),
            filters: filters.iter().map(|filter| filter.parse().unwrap()).collect(),
            skips: skips.iter().map(|filter| filter.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn names_and_filters_both_have_to_match_and_skips_must_not() {
        let tags = ["gre".to_owned()];
        let selects =
            |selection: &Selection| selection.selects(&candidate("link-delay", Some(&tags)));
        assert!(selects(&selection(&[], &[], &[])));
        assert!(selects(&selection(&["x", "link-*"], &["y", "tag(gre)"], &["z"])));
        assert!(!selects(&selection(&["x"], &["tag(gre)"], &[])));
        assert!(!selects(&selection(&["link-*"], &["tag(x)"], &[])));
        assert!(!selects(&selection(&["link-*"], &[], &["z", "tag(gre)"])));
    }

    #[test]
    fn a_file_whose_tags_are_not_known_is_selected_if_they_would_decide() {
        let invalid = candidate("link-delay", None);
        assert!(selection(&[], &["tag(gre)"], &[]).selects(&invalid));
        assert!(selection(&[], &[], &["tag(gre)"]).selects(&invalid));
        assert!(!selection(&[], &["tag(gre) & x"], &[]).selects(&invalid));
        assert!(!selection(&[], &[], &["link-*"]).selects(&invalid));
    }

    #[test]
    fn names_without_a_scenario_are_listed() {
        let selection = selection(&["a", "b*", "c"], &[], &[]);
        let candidates = [candidate("a", None), candidate("bc", None)];
        assert_eq!(selection.unmatched_names(&candidates).collect::<Vec<_>>(), ["c"]);
    }
}
