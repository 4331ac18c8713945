//! Many members are one thread's work, and are not probed in a burst.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use labsim_dataplane::forwarder;
use labsim_forwarder::Config;
use labsim_monitor::Monitors;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const MEMBERS: usize = 1000;
const INTERVAL: Duration = Duration::from_millis(1500);

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_thousand_members_are_watched_by_one_thread_and_spread_over_the_interval() {
    // All of 127/8 is the machine's own.
    let listening = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listening.local_addr().unwrap().port();
    let member = |number: usize| format!("\"127.0.{}.{}:{port}\"", number / 250, number % 250 + 1);
    let members: Vec<String> = (0..MEMBERS).map(member).collect();
    let text = format!(
        r#"{{"interface":"lo","virtual_servers":{{}},"pools":{{"p":{{"members":[{}],
            "monitor":{{"tcp":{{"interval":"{}ms"}}}}}}}}}}"#,
        members.join(","),
        INTERVAL.as_millis()
    );
    let config: Config =
        labsim_yaml::read(&labsim_yaml::Source::new("test", text.as_str())).unwrap();
    std::thread::spawn(move || while listening.accept().is_ok() {});
    let (handle, commands) = forwarder::commands().unwrap();
    drop(commands);
    let (sender, changes) = channel();
    let before = threads();
    let monitors = Monitors::start(handle, move |_| {
        let _ = sender.send(Instant::now());
    })
    .unwrap();
    let start = Instant::now();
    monitors.configure(&config);
    let mut first_half = 0;
    for _ in 0..MEMBERS {
        let at = changes.recv_timeout(Duration::from_secs(20)).unwrap();
        first_half += usize::from(at - start < INTERVAL / 2);
        assert!(threads() <= before + 1);
    }
    // On a machine that keeps up it is a half; never all at once.
    assert!(first_half <= MEMBERS * 6 / 10, "{first_half} of {MEMBERS} in the first half");
    assert!(start.elapsed() >= INTERVAL / 2);
}
