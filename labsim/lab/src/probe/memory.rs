//! What was found out about this machine, for the life of this process: a folder of scenarios asks the
//! same for each of them, and an answer costs a namespace.

use super::{Feature, Missing};
use labsim_scenario::model::TunnelKind;
use std::sync::{Mutex, PoisonError};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Whether it is there.
    Has(Feature),
    /// Whether a decapsulator in user space is the only receiver.
    AloneWith(TunnelKind),
}

/// Answers, by question: a handful.
#[derive(Debug)]
pub(super) struct Memory(Mutex<Vec<(Question, Result<(), Missing>)>>);

impl Memory {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The answer to `question`, by `find_out` if it is not known. What kept it from being found out (`Err`)
    /// may pass, and is not remembered.
    pub(super) fn answer(
        &self,
        question: Question,
        find_out: impl FnOnce() -> Result<Result<(), Missing>, Missing>,
    ) -> Result<(), Missing> {
        let known = |answers: &Vec<(Question, Result<(), Missing>)>| {
            let known = answers.iter().find(|(asked, _)| *asked == question);
            known.map(|(_, answer)| answer.clone())
        };
        if let Some(answer) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return answer;
        }
        // Not under the lock: another thread may find out the same meanwhile.
        let answer = find_out()?;
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known(&answers).is_none() {
            answers.push((question, answer.clone()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::{Feature, Memory, Missing, Question};
    use std::cell::Cell;

    fn missing(reason: &str) -> Missing {
        Missing { reason: reason.to_owned(), remedy: "load it".to_owned() }
    }

    #[test]
    fn an_answer_is_found_out_once_and_a_failure_to_find_out_is_tried_again() {
        let (memory, asked) = (Memory::new(), Cell::new(0));
        let ask = |question, found: Result<Result<(), Missing>, Missing>| {
            memory.answer(question, || {
                asked.set(asked.get() + 1);
                found
            })
        };
        let tun = Question::Has(Feature::Tun);
        assert_eq!(
            ask(tun, Err(missing("no descriptor is left"))),
            Err(missing("no descriptor is left"))
        );
        assert_eq!(ask(tun, Ok(Err(missing("no TUN")))), Err(missing("no TUN")));
        assert_eq!(ask(tun, Ok(Ok(()))), Err(missing("no TUN")));
        assert_eq!(asked.get(), 2);
        assert_eq!(ask(Question::Has(Feature::Netem), Ok(Ok(()))), Ok(()));
        assert_eq!(ask(Question::Has(Feature::Netem), Ok(Err(missing("no netem")))), Ok(()));
        assert_eq!(asked.get(), 3);
    }
}
