//! Active and standby.

use super::Engine;
use crate::FailoverState;

impl Engine {
    /// Sets whether packets to VIPs are served. Going on standby forgets all flows without a reset: their
    /// packets are another load balancer's from then on. This is linear in the flows.
    pub(super) fn set_failover_state(&mut self, state: FailoverState) {
        self.standby = state == FailoverState::Standby;
        if !self.standby {
            return;
        }
        for number in 1..=self.flows.highest() {
            if let Some(id) = self.flows.at(number) {
                self.forget(id, |counters| &mut counters.on_standby);
            }
        }
    }
}
