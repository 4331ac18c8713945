//! Hints, out of the diagnosis of a lab as it is.

use crate::sound::Shown;
use labsim_verdict::Suspect;

/// How much a hint tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What goes wrong.
    Symptom,
    /// Where to look.
    Place,
    /// Why it goes wrong.
    Cause,
    /// What to do about it.
    Fix,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Symptom, Self::Place, Self::Cause, Self::Fix];

    /// The stage after so many hints; the last one remains.
    #[must_use]
    pub fn after(hints: usize) -> Self {
        Self::ALL.get(hints).copied().unwrap_or(Self::Fix)
    }
}

/// The hints for a lab that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints<'a> {
    symptom: &'a str,
    first: Option<&'a Suspect>,
}

impl<'a> Hints<'a> {
    /// Of what a run showed; nothing if it passed, or says nothing.
    #[must_use]
    pub fn of(shown: &'a Shown) -> Option<Self> {
        let symptom = shown.unmet.first().filter(|_| !shown.passed)?;
        Some(Self { symptom, first: shown.causes.first() })
    }

    /// The node of the first cause.
    #[must_use]
    pub fn node(&self) -> Option<&'a str> {
        self.first.and_then(|suspect| suspect.record.node.as_deref())
    }

    /// What a hint says, in a sentence. Nothing is said that the diagnosis does not show.
    #[must_use]
    pub fn text(&self, stage: Stage) -> String {
        let Some(Suspect { record, sentence }) = self.first else {
            return match stage {
                Stage::Symptom => self.symptom.to_owned(),
                _ => "the diagnosis shows no cause; compare captures hop by hop".to_owned(),
            };
        };
        match stage {
            Stage::Symptom => self.symptom.to_owned(),
            Stage::Place => match &record.node {
                Some(node) => {
                    let counters: Vec<&str> = record.counters.keys().map(String::as_str).collect();
                    let counters = match counters.as_slice() {
                        [] => String::new(),
                        names => format!(", and at its counters: {}", names.join(", ")),
                    };
                    format!("look at {node}, in step {}{counters}", record.step)
                }
                None => format!("look at step {}; the diagnosis names no node", record.step),
            },
            Stage::Cause => format!("{sentence} [{}]", record.code),
            Stage::Fix => {
                let ways = std::iter::once(&record.fix).chain(&record.fix.alternatives);
                ways.map(|fix| fix.what.as_str()).collect::<Vec<_>>().join("; or: ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_verdict::{CauseRecord, Fix};

    fn shown() -> Shown {
        let record = CauseRecord {
            code: "vip-missing".to_owned(),
            node: Some("rs1".to_owned()),
            step: "login".to_owned(),
            counters: [("IpInAddrErrors".to_owned(), 5)].into(),
            fix: Fix {
                what: "add it".to_owned(),
                alternatives: vec![Fix { what: "move it".to_owned(), ..Fix::default() }],
                ..Fix::default()
            },
            ..CauseRecord::default()
        };
        let causes = vec![Suspect { record, sentence: "rs1 dropped 5 packets".to_owned() }];
        let unmet = vec!["the login did not pass".to_owned(), "no server answered".to_owned()];
        Shown { passed: false, unmet, causes }
    }

    #[test]
    fn each_hint_tells_more_than_the_one_before_and_the_first_only_the_first_symptom() {
        let shown = shown();
        let hints = Hints::of(&shown).unwrap();
        let texts: Vec<String> = (0..6).map(|number| hints.text(Stage::after(number))).collect();
        assert_eq!(
            texts,
            [
                "the login did not pass",
                "look at rs1, in step login, and at its counters: IpInAddrErrors",
                "rs1 dropped 5 packets [vip-missing]",
                "add it; or: move it",
                "add it; or: move it",
                "add it; or: move it",
            ]
        );
    }

    #[test]
    fn without_a_cause_no_place_is_named_and_of_what_passed_there_is_no_hint() {
        let without = Shown { causes: Vec::new(), ..shown() };
        let hints = Hints::of(&without).unwrap();
        assert_eq!(hints.text(Stage::Symptom), "the login did not pass");
        assert!(hints.text(Stage::Place).starts_with("the diagnosis shows no cause"));
        assert_eq!(Hints::of(&Shown { passed: true, ..shown() }), None);
    }
}
