//! Clients that watch a lab. Each has a queue of its own, up to a bound: one that does not read loses lines,
//! is told how many, and keeps neither the lab nor other watchers waiting.

use crate::protocol::{Answer, Happening, Versioned};
use crate::stream::gone;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Instant;
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// Watchers at most.
const MOST: usize = 64;
/// Lines that wait for a watcher at most.
const MOST_LINES: usize = 1000;
/// Characters of a line at most.
const LONGEST: usize = 1000;

/// All that watch a lab; cheap to clone.
#[derive(Clone)]
pub(crate) struct Watchers(Rc<Shared>);

struct Shared {
    since: Instant,
    all: RefCell<Vec<Weak<Queue>>>,
    /// One has come.
    joined: Notify,
}

/// What waits for a watcher.
struct Queue {
    lines: RefCell<VecDeque<Happening>>,
    lost: Cell<u64>,
    /// Whether it was told that everything from now on is told.
    has_begun: Cell<Begun>,
    added: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    NotYet,
    /// It is to be told.
    Now,
    Told,
}

impl Watchers {
    /// Of a lab that is up since then.
    pub(crate) fn new(since: Instant) -> Self {
        Self(Rc::new(Shared { since, all: RefCell::default(), joined: Notify::new() }))
    }

    /// Lets a client watch, until it is gone. Returns it if there are too many.
    pub(crate) fn join(&self, client: UnixStream) -> Result<(), UnixStream> {
        let mut all = self.0.all.borrow_mut();
        all.retain(|watcher| watcher.strong_count() > 0);
        if all.len() >= MOST {
            return Err(client);
        }
        let queue = Rc::new(Queue {
            lines: RefCell::default(),
            lost: Cell::new(0),
            has_begun: Cell::new(Begun::NotYet),
            added: Notify::new(),
        });
        all.push(Rc::downgrade(&queue));
        self.0.joined.notify_one();
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = gone(&client) => {}
                _ = queue.write(&client) => {}
            }
        });
        Ok(())
    }

    /// Whether there is one.
    pub(crate) fn are_there(&self) -> bool {
        self.0.all.borrow().iter().any(|watcher| watcher.strong_count() > 0)
    }

    /// Waits until there is one.
    pub(crate) async fn come(&self) {
        while !self.are_there() {
            self.0.joined.notified().await;
        }
    }

    /// Tells all that something has happened.
    pub(crate) fn tell(&self, text: &str) {
        let at_ms = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        for queue in self.queues() {
            queue.push(Happening { at_ms, text: shortened(text) });
        }
    }

    /// Tells those that have come since the last call that everything from now on is told.
    pub(crate) fn begin(&self) {
        for queue in self.queues().filter(|queue| queue.has_begun.get() == Begun::NotYet) {
            queue.has_begun.set(Begun::Now);
            queue.added.notify_one();
        }
    }

    fn queues(&self) -> impl Iterator<Item = Rc<Queue>> {
        let all: Vec<_> = self.0.all.borrow().iter().filter_map(Weak::upgrade).collect();
        all.into_iter()
    }
}

impl Queue {
    fn push(&self, line: Happening) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() < MOST_LINES && self.lost.get() == 0 {
            lines.push_back(line);
        } else {
            self.lost.set(self.lost.get() + 1);
        }
        self.added.notify_one();
    }

    /// What is to be written next: lines that were lost come after those that wait.
    fn next(&self) -> Option<Answer> {
        if self.has_begun.get() == Begun::Now {
            self.has_begun.set(Begun::Told);
            return Some(Answer::Watching);
        }
        if let Some(line) = self.lines.borrow_mut().pop_front() {
            return Some(Answer::Happened(line));
        }
        match self.lost.take() {
            0 => None,
            lost => Some(Answer::Lost(lost)),
        }
    }

    async fn write(&self, client: &UnixStream) -> io::Result<()> {
        loop {
            let Some(answer) = self.next() else {
                self.added.notified().await;
                continue;
            };
            let mut text = serde_json::to_vec(&Versioned::new(answer))?;
            text.push(b'\n');
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                client.writable().await?;
                match client.try_write(rest) {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// A line's begin.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::task::{LocalSet, yield_now};
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_watcher_that_does_not_read_loses_lines_and_the_others_none() {
        let work = async {
            let watchers = Watchers::new(Instant::now());
            let pairs = [(); 2].map(|()| UnixStream::pair().unwrap());
            let [slow, quick] = pairs.map(|(mine, its)| {
                watchers.join(mine).unwrap();
                its
            });
            let mut quick = BufReader::new(quick).lines();
            const ALL: usize = 20_000;
            for number in 0..ALL {
                watchers.tell(&format!("{number} {}", "x".repeat(100)));
                let line = timeout(SOON, quick.next_line()).await.unwrap().unwrap().unwrap();
                assert!(line.contains(&format!("\"{number} x")), "{line}");
            }
            let mut slow = BufReader::new(slow).lines();
            let (mut seen, mut lost) = (0, 0);
            while seen + lost < ALL {
                let line = timeout(SOON, slow.next_line()).await.unwrap().unwrap().unwrap();
                let answer: Versioned<Answer> = serde_json::from_str(&line).unwrap();
                match answer.message {
                    Answer::Happened(line) => {
                        assert!(line.text.starts_with(&format!("{seen} ")), "{line:?}");
                        seen += 1;
                    }
                    Answer::Lost(lines) => lost += usize::try_from(lines).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
            assert!(seen > MOST_LINES && lost > 0, "{seen} seen, {lost} lost");
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test]
    async fn watchers_that_leave_make_room_for_others() {
        let work = async {
            let watchers = Watchers::new(Instant::now());
            let mut all = Vec::new();
            for _ in 0..MOST {
                let (mine, its) = UnixStream::pair().unwrap();
                watchers.join(mine).unwrap();
                all.push(its);
            }
            let (mine, _its) = UnixStream::pair().unwrap();
            let refused = watchers.join(mine).unwrap_err();
            drop(all);
            let left = async {
                while watchers.are_there() {
                    yield_now().await;
                }
            };
            timeout(SOON, left).await.unwrap();
            watchers.join(refused).unwrap();
            timeout(SOON, watchers.come()).await.unwrap();
        };
        LocalSet::new().run_until(work).await;
    }
}
