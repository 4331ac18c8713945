//! Waits until a program is ready.

use super::{BETWEEN, Running, said};
use crate::fault::Fault;
use labsim_lab::{Lab, Port};
use labsim_scenario::model::{Process, Readiness};
use tokio::time::{Instant, sleep};

impl Running {
    /// Returns when it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time: with the last lines of what it printed.
    pub(super) async fn await_ready(
        &mut self,
        lab: &Lab,
        process: &Process,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let node = lab.node(&self.node).ok_or_else(|| Fault::no_node(&self.node))?;
        let open = |port| node.is_open(port).map_err(Fault::broken("the open ports of a node"));
        loop {
            let ended = self.started.ended()?;
            let ready = match &process.ready {
                Readiness::Tcp(port) => open(Port::Tcp(*port))?,
                Readiness::Udp(port) => open(Port::Udp(*port))?,
                Readiness::Line(_) => self.started.reader.has_found(),
                Readiness::Exit => ended.is_some_and(|status| status.success()),
            };
            match (ready, ended) {
                (true, ended) => {
                    self.done = ended.is_some() && process.ready == Readiness::Exit;
                    return Ok(());
                }
                (false, Some(status)) => {
                    return Err(self.fault(&format!("{} before it was ready", said(status))));
                }
                (false, None) if Instant::now() >= deadline => {
                    let (limit, lacks) = (process.timeout, lacks(&process.ready));
                    return Err(self.fault(&format!("was not ready after {limit:?}: {lacks}")));
                }
                (false, None) => sleep(BETWEEN).await,
            }
        }
    }
}

fn lacks(ready: &Readiness) -> String {
    match ready {
        Readiness::Tcp(port) => format!("nobody listens on TCP port {port}"),
        Readiness::Udp(port) => format!("nobody has UDP port {port}"),
        Readiness::Line(text) => format!("it has printed no line with `{text}`"),
        Readiness::Exit => "it still runs".to_owned(),
    }
}
