//! What runs in a lab: one trait, and the order in which all of it starts, is observed and stops.
//!
//! Nothing here assumes that a run ends: components can be observed, flushed and checked as often
//! as needed between [`start`] and [`stop`].

use crate::cancel::Cancelled;
use crate::error::RunError;
use crate::observations::Snapshot;
use labsim_event::Event;
use std::future::{Future, ready};
use std::pin::Pin;
use std::time::{Duration, Instant};
use tracing::{Instrument as _, debug, info, info_span, warn};

/// What a component's asynchronous methods return.
pub(crate) type Pending<'a> = Pin<Box<dyn Future<Output = Result<(), RunError>> + 'a>>;

/// Components that start at the same time.
pub(crate) type Stage<'a, L> = Vec<&'a mut dyn Component<L>>;

/// How long the components have to end in good order, all of them together.
const GRACE: Duration = Duration::from_secs(1);

/// How a component ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// It is asked to end, and has until the deadline for that.
    Graceful {
        /// One for all components.
        deadline: Instant,
    },
    /// It is killed.
    Immediate,
}

/// Something that runs in a lab of type `L`, made from its own part of the plan. Nothing runs
/// before [`Component::start`], which can be called again after a stop.
pub(crate) trait Component<L> {
    /// What it is and where, for messages: `the forwarder in lb`.
    fn name(&self) -> String;

    /// Starts it; [`Component::ready`] returns when it does its work.
    ///
    /// Has to be called inside a `LocalSet`.
    fn start(&mut self, lab: &L, emit: &dyn Fn(Event)) -> Result<(), RunError>;

    /// Waits until it does its work. Can be dropped at any time.
    fn ready<'a>(&'a mut self, _lab: &'a L) -> Pending<'a> {
        done(Ok(()))
    }

    /// Fails if it has ended by itself.
    fn check(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    /// Waits until everything that reached it before has been processed.
    fn flush(&mut self, _deadline: Instant) -> Pending<'_> {
        done(Ok(()))
    }

    /// Adds its counters up to now.
    fn observe<'a>(&'a mut self, _lab: &'a L, _into: &'a mut Snapshot) -> Pending<'a> {
        done(Ok(()))
    }

    /// Asks it to end, and waits for nothing. Before a graceful stop all components are asked, so
    /// that they end side by side.
    fn request_stop(&mut self) {}

    /// Ends it. Does nothing if it does not run.
    fn stop<'a>(&'a mut self, how: Shutdown, emit: &'a dyn Fn(Event)) -> Pending<'a>;
}

/// All components of a lab.
pub(crate) trait ComponentSet<L> {
    /// In the order in which they start. A stage starts once all of the stage before it are ready.
    fn stages(&mut self) -> Vec<Stage<'_, L>>;
}

/// The result of a method that does not wait.
pub(crate) fn done<'a>(result: Result<(), RunError>) -> Pending<'a> {
    Box::pin(ready(result))
}

/// Starts all components, stage by stage. If one fails the others are left as they are, for
/// [`stop`].
pub(crate) async fn start<L>(
    components: &mut impl ComponentSet<L>,
    lab: &L,
    emit: &dyn Fn(Event),
) -> Result<(), RunError> {
    for mut stage in components.stages() {
        for component in &mut stage {
            debug!(component = component.name(), "starts");
            component.start(lab, emit)?;
        }
        for component in &mut stage {
            let span = info_span!("node", component = component.name());
            component.ready(lab).instrument(span).await?;
            info!(component = component.name(), "ready");
        }
    }
    Ok(())
}

/// Fails if a component has ended by itself.
pub(crate) fn check<L>(components: &mut impl ComponentSet<L>) -> Result<(), RunError> {
    components.stages().into_iter().flatten().try_for_each(|component| component.check())
}

/// Waits until every component has processed what reached it.
pub(crate) async fn flush<L>(
    components: &mut impl ComponentSet<L>,
    deadline: Instant,
) -> Result<(), RunError> {
    for component in components.stages().into_iter().flatten() {
        component.flush(deadline).await?;
    }
    Ok(())
}

/// Adds the counters of all components.
pub(crate) async fn observe<L>(
    components: &mut impl ComponentSet<L>,
    lab: &L,
    into: &mut Snapshot,
) -> Result<(), RunError> {
    for component in components.stages().into_iter().flatten() {
        component.observe(lab, into).await?;
    }
    Ok(())
}

/// Stops all components in reverse order. A failure does not keep the others from being stopped;
/// all failures are returned.
pub(crate) async fn stop<L>(
    components: &mut impl ComponentSet<L>,
    how: Shutdown,
    emit: &dyn Fn(Event),
) -> Vec<RunError> {
    let mut failures = Vec::new();
    if matches!(how, Shutdown::Graceful { .. }) {
        components.stages().into_iter().rev().flatten().for_each(|it| it.request_stop());
    }
    for component in components.stages().into_iter().rev().flat_map(|stage| stage.into_iter().rev())
    {
        debug!(component = component.name(), ?how, "stops");
        if let Err(failure) = component.stop(how, emit).await {
            warn!(component = component.name(), %failure, "cannot be stopped");
            failures.push(failure);
        }
    }
    failures
}

/// Starts all components, does `work`, and stops them, also where starting or `work` fails or is
/// interrupted.
///
/// # Errors
/// The first failure; failures of stopping follow it in its message.
pub(crate) async fn run_with<L, S: ComponentSet<L>, T>(
    components: &mut S,
    lab: &L,
    cancelled: &mut Cancelled,
    emit: &dyn Fn(Event),
    work: impl AsyncFnOnce(&mut S) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let working = async {
        start(components, lab, emit).await?;
        work(components).await
    };
    let result = tokio::select! {
        biased;
        cancellation = cancelled.wait() => Err(cancellation.into()),
        result = working => result,
    };
    let how = match &result {
        Ok(_) => Shutdown::Graceful { deadline: Instant::now() + GRACE },
        Err(_) => Shutdown::Immediate,
    };
    let failures = stop(components, how, emit).await.into_iter();
    match result {
        Ok(value) => failures.reduce(RunError::and).map_or(Ok(value), Err),
        Err(first) => Err(failures.fold(first, RunError::and)),
    }
}

#[cfg(test)]
mod tests;
