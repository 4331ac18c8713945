//! Logins that go on while the steps after theirs are carried out.

use crate::fault::Fault;
use labsim_scenario::model::StepName;
use labsim_verdict::Attempt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

type Attempts = Result<Vec<Attempt>, Fault>;

/// Steps in the background, by name. Dropping it breaks them off.
#[derive(Default)]
pub(super) struct Background<'a>(Vec<(StepName, Going<'a>)>);

enum Going<'a> {
    On(Pin<Box<dyn Future<Output = Attempts> + 'a>>),
    Over(Attempts),
}

impl<'a> Background<'a> {
    /// Begins; it goes on only while something is awaited here.
    pub(super) fn begin(&mut self, name: &StepName, logins: impl Future<Output = Attempts> + 'a) {
        self.0.push((name.clone(), Going::On(Box::pin(logins))));
    }

    /// Waits for `step` while all of them go on.
    pub(super) async fn beside<T>(&mut self, step: impl Future<Output = T>) -> T {
        let mut step = pin!(step);
        poll_fn(|context| {
            self.go_on(context);
            step.as_mut().poll(context)
        })
        .await
    }

    /// Waits until one is over while all others go on.
    pub(super) async fn finish(&mut self, name: &StepName) -> Attempts {
        poll_fn(|context| {
            self.go_on(context);
            let Some(place) = self.0.iter().position(|(other, _)| other == name) else {
                let absent = format!("the login `{name}` is not in the background");
                return Poll::Ready(Err(Fault::Broken(absent)));
            };
            match self.0[place].1 {
                Going::On(_) => Poll::Pending,
                Going::Over(_) => match self.0.remove(place).1 {
                    Going::Over(attempts) => Poll::Ready(attempts),
                    Going::On(_) => Poll::Pending,
                },
            }
        })
        .await
    }

    fn go_on(&mut self, context: &mut Context<'_>) {
        for (_, going) in &mut self.0 {
            if let Going::On(logins) = going
                && let Poll::Ready(attempts) = logins.as_mut().poll(context)
            {
                *going = Going::Over(attempts);
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
        let (bell, heard) = (Rc::new(Notify::new()), Rc::new(Cell::new(false)));
        let mut background = Background::default();
        let (their_bell, theirs) = (Rc::clone(&bell), Rc::clone(&heard));
        background.begin(&name, async move {
            theirs.set(true);
            their_bell.notify_one();
            Ok(Vec::new())
        });
        assert!(!heard.get());
        background.beside(bell.notified()).await;
        assert!(heard.get());
        assert!(background.finish(&name).await.is_ok_and(|attempts| attempts.is_empty()));
        assert!(background.finish(&name).await.is_err(), "once");
    }
}
