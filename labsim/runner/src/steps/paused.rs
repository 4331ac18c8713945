//! An exchange that pauses after the server's first answer, and is resumed later: a TACACS+ login where the
//! server has asked for the password, and others after their first round.

use super::{Began, exchanges};
use crate::error::RunError;
use crate::exchange::{self, Ended, Gate, timed_out};
use labsim_lab::Lab;
use labsim_scenario::model::{Exchange, ExchangeForm, LoginResult};
use labsim_verdict::Attempt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// A paused exchange. Dropping it resets its connection.
pub(super) struct Paused {
    exchange: Pin<Box<dyn Future<Output = Ended>>>,
    gate: Rc<Gate>,
    began: Began,
    limit: Duration,
}

/// Runs an exchange up to its pause. `None` if it ended before that.
pub(super) async fn begin(
    lab: &Lab,
    step: &Exchange,
) -> Result<(Attempt, Option<Paused>), RunError> {
    let Some(from) = step.from.first() else {
        return Err(RunError::inconsistent("an exchange without a client".to_owned()));
    };
    let gate = Gate::pausing();
    let (began, limit) = (Began::now(), step.timeout);
    let socket = match exchanges::socket(lab, from, step, &gate).await? {
        Ok(socket) => socket,
        Err(ended) => return Ok((exchanges::attempt(from.clone(), step, ended, began), None)),
    };
    let mut exchange: Pin<Box<dyn Future<Output = Ended>>> =
        Box::pin(exchange::run(socket, Rc::new(step.clone()), 0, Rc::clone(&gate)));
    let until_pause = poll_fn(|context| match exchange.as_mut().poll(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if gate.is_holding() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let ((result, detail), is_paused) = match timeout(limit, until_pause).await {
        Ok(Some(ended)) => ((ended.result, ended.detail), false),
        Ok(None) => {
            let place = match step.form {
                ExchangeForm::TacacsLogin(_) => "where the server asked for the password",
                _ => "after the first round",
            };
            ((LoginResult::Paused, format!("paused {place}")), true)
        }
        Err(_) => (timed_out(limit), false),
    };
    let ended = Ended { result, detail, local: gate.local() };
    let attempt = exchanges::attempt(from.clone(), step, ended, began);
    let paused = is_paused.then_some(Paused { exchange, gate, began, limit });
    Ok((attempt, paused))
}

impl Paused {
    /// Resumes it to its end, for which it has its timeout once more.
    pub(super) async fn resume(self, attempt: &mut Attempt) {
        self.gate.release();
        let (result, detail) = match timeout(self.limit, self.exchange).await {
            Ok(ended) => (ended.result, ended.detail),
            Err(_) => timed_out(self.limit),
        };
        attempt.result = result;
        attempt.detail = detail;
        attempt.duration_ns = self.began.elapsed_ns();
    }
}
