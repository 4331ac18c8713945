//! The order of the course, with components that only write down what is asked of them.

use super::{Component, ComponentSet, Pending, Shutdown, Stage, done, observe, run_with};
use crate::cancel::{Cancelled, cancellation};
use crate::error::RunError;
use crate::observations::Snapshot;
use labsim_event::Event;
use std::cell::RefCell;
use std::time::Instant;

/// A lab that keeps a list of what happened in it.
#[derive(Default)]
struct FakeLab(RefCell<Vec<String>>);

impl FakeLab {
    fn list(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Never,
    Start,
    Ready,
    Stop,
    /// Does not become ready.
    Hangs,
}

struct Fake<'a> {
    lab: &'a FakeLab,
    name: &'static str,
    fails: Fails,
    runs: bool,
}

impl Fake<'_> {
    fn write(&self, what: &str, fails: Fails) -> Result<(), RunError> {
        self.lab.0.borrow_mut().push(format!("{what} {}", self.name));
        match self.fails == fails {
            true => Err(RunError::inconsistent(format!("{} fails", self.name))),
            false => Ok(()),
        }
    }
}

impl Component<FakeLab> for Fake<'_> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn start(&mut self, _lab: &FakeLab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        self.write("start", Fails::Start)?;
        self.runs = true;
        Ok(())
    }

    fn ready<'a>(&'a mut self, _lab: &'a FakeLab) -> Pending<'a> {
        match (self.write("ready", Fails::Ready), self.fails) {
            (_, Fails::Hangs) => Box::pin(std::future::pending()),
            (result, _) => done(result),
        }
    }

    fn flush(&mut self, _deadline: Instant) -> Pending<'_> {
        done(self.write("flush", Fails::Never).or(Ok(())))
    }

    fn observe<'a>(&'a mut self, _lab: &'a FakeLab, _into: &'a mut Snapshot) -> Pending<'a> {
        self.lab.0.borrow_mut().push(format!("observe {}", self.name));
        done(Ok(()))
    }

    fn request_stop(&mut self) {
        self.lab.0.borrow_mut().push(format!("ask {}", self.name));
    }

    fn stop<'a>(&'a mut self, how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        if !std::mem::take(&mut self.runs) {
            return done(Ok(()));
        }
        let what = match how {
            Shutdown::Graceful { .. } => "stop",
            Shutdown::Immediate => "kill",
        };
        done(self.write(what, Fails::Stop))
    }
}

/// Two stages: `a` and `b`, then `c`.
struct Fakes<'a>([Fake<'a>; 3]);

impl<'a> Fakes<'a> {
    fn new(lab: &'a FakeLab, fails: [Fails; 3]) -> Self {
        let mut names = ["a", "b", "c"].into_iter();
        Self(fails.map(|fails| {
            let name = names.next().unwrap_or_default();
            Fake { lab, name, fails, runs: false }
        }))
    }
}

impl ComponentSet<FakeLab> for Fakes<'_> {
    fn stages(&mut self) -> Vec<Stage<'_, FakeLab>> {
        let [a, b, c] = &mut self.0;
        vec![vec![a, b], vec![c]]
    }
}

/// Runs all three around `work`, which only writes itself down.
async fn run(fails: [Fails; 3], cancelled: &mut Cancelled) -> (Vec<String>, Result<(), RunError>) {
    let lab = FakeLab::default();
    let mut fakes = Fakes::new(&lab, fails);
    let work = async |_: &mut Fakes<'_>| {
        lab.0.borrow_mut().push("work".to_owned());
        Ok(())
    };
    let result = run_with(&mut fakes, &lab, cancelled, &|_| (), work).await;
    (lab.list(), result)
}

const NEVER: [Fails; 3] = [Fails::Never; 3];

#[tokio::test]
async fn stages_start_one_after_the_other_and_stop_in_reverse_once_all_are_asked() {
    let (_canceller, mut cancelled) = cancellation();
    let (list, result) = run(NEVER, &mut cancelled).await;
    assert!(result.is_ok());
    let expected = [
        "start a", "start b", "ready a", "ready b", "start c", "ready c", "work", "ask c", "ask a",
        "ask b", "stop c", "stop b", "stop a",
    ];
    assert_eq!(list, expected);
}

#[tokio::test]
async fn running_components_can_be_observed_again_and_again() {
    let (_canceller, mut cancelled) = cancellation();
    let lab = FakeLab::default();
    let mut fakes = Fakes::new(&lab, NEVER);
    let work = async |fakes: &mut Fakes<'_>| {
        lab.0.borrow_mut().clear();
        for _ in 0..2 {
            super::flush(fakes, Instant::now()).await?;
            observe(fakes, &lab, &mut Snapshot::default()).await?;
            super::check(fakes)?;
        }
        Ok(lab.list())
    };
    let list = run_with(&mut fakes, &lab, &mut cancelled, &|_| (), work).await.unwrap();
    let once = ["flush a", "flush b", "flush c", "observe a", "observe b", "observe c"];
    assert_eq!(list, [once, once].concat());
}

#[tokio::test]
async fn where_one_fails_to_start_those_that_run_are_killed() {
    let (_canceller, mut cancelled) = cancellation();
    let (list, result) = run([Fails::Never, Fails::Start, Fails::Never], &mut cancelled).await;
    assert_eq!(list, ["start a", "start b", "kill a"]);
    assert!(result.unwrap_err().to_string().contains("b fails"));
    let (list, _) = run([Fails::Never, Fails::Never, Fails::Ready], &mut cancelled).await;
    assert_eq!(list[5..], ["ready c", "kill c", "kill b", "kill a"]);
}

#[tokio::test]
async fn every_failure_of_stopping_is_in_the_error_and_stops_no_other() {
    let (_canceller, mut cancelled) = cancellation();
    let (list, result) = run([Fails::Stop, Fails::Never, Fails::Stop], &mut cancelled).await;
    assert_eq!(list[10..], ["stop c", "stop b", "stop a"]);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("c fails; also: a fails"), "{message}");
    let (_, result) = run([Fails::Stop, Fails::Start, Fails::Never], &mut cancelled).await;
    let message = result.unwrap_err().to_string();
    assert!(message.contains("b fails; also: a fails"), "{message}");
}

#[tokio::test]
async fn an_interruption_kills_what_runs_even_where_one_never_becomes_ready() {
    let (canceller, mut cancelled) = cancellation();
    let interrupt = async {
        tokio::task::yield_now().await;
        canceller.cancel();
    };
    let fails = [Fails::Never, Fails::Hangs, Fails::Never];
    let ((list, result), ()) = tokio::join!(run(fails, &mut cancelled), interrupt);
    assert_eq!(list, ["start a", "start b", "ready a", "ready b", "kill b", "kill a"]);
    assert!(matches!(result, Err(RunError::Interrupted)));
}
