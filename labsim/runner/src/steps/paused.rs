//! A TACACS+ login that stops when the server has asked for the password, and goes on later.

use super::{logins, nanoseconds};
use crate::fault::Fault;
use crate::login::{self, Ended, Gate, too_late};
use labsim_lab::Lab;
use labsim_scenario::model::{LoginResult, TacacsLogin};
use labsim_verdict::Attempt;
use labsim_wire::protocol;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A login in the middle. Dropping it resets its connection.
pub(super) struct Paused {
    going_on: Pin<Box<dyn Future<Output = Ended>>>,
    gate: Rc<Gate>,
    began: Instant,
    limit: Duration,
}

/// Logs in as far as the question for the password. A login that ended before is no paused one.
pub(super) async fn begin(
    lab: &Lab,
    step: &TacacsLogin,
) -> Result<(Attempt, Option<Paused>), Fault> {
    let Some(from) = step.from.first() else {
        return Err(Fault::Broken("a login without a client".to_owned()));
    };
    let socket = logins::socket(lab, from, step)?;
    let gate = Gate::pausing();
    let (began, limit) = (Instant::now(), step.timeout);
    let mut going_on: Pin<Box<dyn Future<Output = Ended>>> =
        Box::pin(login::tacacs(socket, Rc::new(step.clone()), Rc::clone(&gate)));
    let halted = poll_fn(|context| match going_on.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if gate.is_holding() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let (ended, is_paused) = match timeout(limit, halted).await {
        Ok(Some(ended)) => ((ended.result, ended.detail), false),
        Ok(None) => {
            let detail = "it waits where the server asked for the password".to_owned();
            ((LoginResult::Paused, detail), true)
        }
        Err(_) => (too_late(limit), false),
    };
    let (result, detail) = ended;
    let attempt = Attempt {
        from: from.clone(),
        protocol: protocol::TCP,
        result,
        detail,
        local: gate.local(),
        remote: step.to,
        duration_ns: nanoseconds(began),
    };
    let paused = is_paused.then_some(Paused { going_on, gate, began, limit });
    Ok((attempt, paused))
}

impl Paused {
    /// Goes on to the end, for which the login has its time once more.
    pub(super) async fn resume(self, attempt: &mut Attempt) {
        self.gate.release();
        let (result, detail) = match timeout(self.limit, self.going_on).await {
            Ok(ended) => (ended.result, ended.detail),
            Err(_) => too_late(self.limit),
        };
        attempt.result = result;
        attempt.detail = detail;
        attempt.duration_ns = nanoseconds(self.began);
    }
}
