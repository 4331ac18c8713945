//! Exchanges that go on while the steps after theirs run.

use crate::error::RunError;
use labsim_scenario::model::StepName;
use labsim_verdict::Attempt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

type Attempts = Result<Vec<Attempt>, RunError>;

/// Steps in the background, by name. Dropping it aborts them.
#[derive(Default)]
pub(super) struct Background<'a>(Vec<(StepName, Running<'a>)>);

enum Running<'a> {
    Pending(Pin<Box<dyn Future<Output = Attempts> + 'a>>),
    Ended(Attempts),
}

impl<'a> Background<'a> {
    /// Begins; it goes on only while something is awaited here.
    /// Those of an earlier run of the step end.
    pub(super) fn begin(
        &mut self,
        name: &StepName,
        exchanges: impl Future<Output = Attempts> + 'a,
    ) {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.clone(), Running::Pending(Box::pin(exchanges))));
    }

    /// Waits for `step` while all of them go on.
    pub(super) async fn run_beside<T>(&mut self, step: impl Future<Output = T>) -> T {
        let mut step = pin!(step);
        poll_fn(|context| {
            self.poll_all(context);
            step.as_mut().poll(context)
        })
        .await
    }

    /// Waits until one ends while all others go on.
    pub(super) async fn finish(&mut self, name: &StepName) -> Attempts {
        poll_fn(|context| {
            self.poll_all(context);
            let Some(position) = self.0.iter().position(|(other, _)| other == name) else {
                let message = format!("`{name}` is not in the background");
                return Poll::Ready(Err(RunError::step_impossible(message)));
            };
            match self.0[position].1 {
                Running::Pending(_) => Poll::Pending,
                Running::Ended(_) => match self.0.remove(position).1 {
                    Running::Ended(attempts) => Poll::Ready(attempts),
                    Running::Pending(_) => Poll::Pending,
                },
            }
        })
        .await
    }

    /// Lets all of them go on.
    pub(super) fn poll_all(&mut self, context: &mut Context<'_>) {
        for (_, running) in &mut self.0 {
            if let Running::Pending(exchanges) = running
                && let Poll::Ready(attempts) = exchanges.as_mut().poll(context)
            {
                *running = Running::Ended(attempts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Background;
    use labsim_scenario::model::StepName;
    use std::cell::Cell;
    use std::rc::Rc;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn what_is_in_the_background_goes_on_beside_a_step_and_can_be_waited_for() {
        let name = StepName::new("login").unwrap();
        let (bell, has_run) = (Rc::new(Notify::new()), Rc::new(Cell::new(false)));
        let mut background = Background::default();
        let (ring, ran) = (Rc::clone(&bell), Rc::clone(&has_run));
        background.begin(&name, async move {
            ran.set(true);
            ring.notify_one();
            Ok(Vec::new())
        });
        assert!(!has_run.get());
        background.run_beside(bell.notified()).await;
        assert!(has_run.get());
        assert!(background.finish(&name).await.is_ok_and(|attempts| attempts.is_empty()));
        assert!(background.finish(&name).await.is_err(), "once");
    }
}
