//! Scenarios with another acceleration of their load balancers than their files say.

use crate::model::{PvaAcceleration, Scenario};

impl Scenario {
    /// The same scenario with this acceleration of all virtual servers.
    #[must_use]
    pub fn with_pva_acceleration(&self, acceleration: PvaAcceleration) -> Self {
        let mut scenario = self.clone();
        let servers = scenario.load_balancers.values_mut();
        let servers = servers.flat_map(|balancer| balancer.virtual_servers.values_mut());
        servers.for_each(|server| server.fastl4.pva_acceleration = acceleration);
        scenario
    }
}
