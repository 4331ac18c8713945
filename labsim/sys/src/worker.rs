//! A thread that runs borrowed closures one after the other, for work that has to happen on one
//! thread: entering namespaces, starting children that die with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle, ThreadId};

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A handle of the thread. Dropping it lets the thread finish its jobs, and joins it.
#[derive(Debug)]
pub struct Worker<S> {
    // Before the thread: dropping the queue's last sender ends the thread, which is then joined.
    jobs: Sender<Job<S>>,
    thread: Joined,
}

/// A thread that is joined on drop.
#[derive(Debug)]
struct Joined {
    id: ThreadId,
    handle: Option<JoinHandle<()>>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        // A thread cannot join itself: dropped by one of its own jobs, it ends by itself.
        if let Some(handle) = self.handle.take().filter(|_| thread::current().id() != self.id) {
            // Jobs catch their own panics, so there is nothing to hand on.
            let _ = handle.join();
        }
    }
}

impl<S: Send + 'static> Worker<S> {
    /// Starts the thread, which owns `state`.
    ///
    /// # Errors
    /// The kernel creates no thread (pthread_create(3)).
    pub fn start(name: &str, mut state: S) -> io::Result<Self> {
        let (jobs, queue): (_, Receiver<Job<S>>) = mpsc::channel();
        let builder = thread::Builder::new().name(name.to_owned());
        let handle = builder.spawn(move || {
            for job in queue {
                job(&mut state);
            }
        })?;
        let thread = Joined { id: handle.thread().id(), handle: Some(handle) };
        Ok(Self { jobs, thread })
    }

    /// Runs `work` on the thread, waits for it and returns its result. A panic in `work` continues
    /// in the caller.
    ///
    /// # Errors
    /// The thread has ended, or the caller is the thread itself, which would wait for ever.
    pub fn run<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'a,
    ) -> io::Result<T> {
        if thread::current().id() == self.thread.id {
            return Err(io::Error::other("a job of the worker thread cannot wait for another job"));
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Box<dyn FnOnce(&mut S) + Send + 'a> = Box::new(move |state| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(state)));
            // The caller waits for this, or is gone with the answer's receiver: both are fine.
            let _ = answer.send(outcome);
        });
        // SAFETY: only the lifetime changes. `work` is gone, run or dropped, before `answer` is
        // sent or dropped (it is consumed inside the catch, and a job that is never run is
        // dropped whole), and this function returns only after `answered` has shown one of both;
        // so nothing of lifetime 'a is used after it ends.
        let job: Job<S> = unsafe { std::mem::transmute(job) };
        // The job, and with it `answer`, moves into the queue in any case: a queue whose thread has
        // ended drops it, here or when the receiver was dropped. So `recv` always returns.
        drop(self.jobs.send(job));
        match answered.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(mpsc::RecvError) => Err(io::Error::other("the worker thread has ended")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Worker;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// Whether `work` returns within a generous time.
    fn returns(work: impl FnOnce() + Send + 'static) -> bool {
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            work();
            let _ = done.send(());
        });
        finished.recv_timeout(Duration::from_secs(20)).is_ok()
    }

    #[test]
    fn a_job_borrows_from_its_caller_and_changes_the_threads_state() {
        let worker = Worker::start("test", 40).unwrap();
        let (two, mut seen) = (2, Vec::new());
        for _ in 0..3 {
            let state = worker
                .run(|state| {
                    *state += two;
                    seen.push(thread::current().name().map(str::to_owned));
                    *state
                })
                .unwrap();
            assert_eq!(state, 40 + 2 * seen.len());
        }
        assert_eq!(seen, vec![Some("test".to_owned()); 3]);
    }

    #[test]
    fn a_panic_continues_in_the_caller_and_the_thread_goes_on() {
        let worker = Worker::start("test", ()).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            worker.run(|()| panic!("in the job")).unwrap();
        }));
        assert!(panicked.is_err());
        assert_eq!(worker.run(|()| 7).unwrap(), 7);
    }

    #[test]
    fn a_job_that_waits_for_another_gets_an_error_instead_of_waiting_for_ever() {
        assert!(returns(|| {
            let worker = Worker::start("test", ()).unwrap();
            let nested = worker.run(|()| worker.run(|()| ()).map_err(|error| error.to_string()));
            assert!(nested.unwrap().unwrap_err().contains("cannot wait"));
        }));
    }

    #[test]
    fn a_thread_that_has_ended_is_an_error_instead_of_a_wait_for_ever() {
        assert!(returns(|| {
            let mut worker = Worker::start("test", ()).unwrap();
            // A queue whose receiver is gone, as that of a thread that has ended.
            worker.jobs = mpsc::channel().0;
            let text = String::from("borrowed");
            let error = worker.run(|()| text.len()).map_err(|it| it.to_string());
            assert_eq!(error.unwrap_err(), "the worker thread has ended");
        }));
    }
}
