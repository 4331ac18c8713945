//! Changes of a lab that is up beside its scenario's steps: a step of its own, another configuration of what
//! runs.

use super::Kept;
use crate::components::configure::Done;
use crate::error::RunError;
use crate::intervals::Intervals;
use crate::plan::RunPlan;
use crate::steps::{LabSteps, RunContext, StepRecord, run_steps};
use labsim_event::Event;
use labsim_scenario::model::{NodeName, Scenario, Step};
use std::collections::BTreeMap;
use std::rc::Rc;

impl Kept<'_> {
    /// Runs a step that is not the scenario's. What the steps observed before stays. Can be dropped at any
    /// time.
    ///
    /// # Errors
    /// The step cannot be run, and the lab stays up.
    pub async fn run_alone(&mut self, step: Step, emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let capture = self.capture()?;
        let Self { lab, longest_delay, .. } = *self;
        let intervals = Intervals::default();
        let context =
            RunContext::new(lab, &capture, self.components, longest_delay, emit, intervals);
        let mut executor = LabSteps::new(lab, context, &mut self.open);
        run_steps(&[step], &mut StepRecord::default(), &mut executor, emit).await
    }

    /// Has what runs in the lab run as `scenario` says, which differs from `now` in the configuration of load
    /// balancers and built-in servers only. `now` is the lab's own, read from the same texts as `scenario`.
    /// Steps and checks are the new scenario's from then on. Members of pools keep what was changed of them while the lab was up, unless the pool's
    /// members are others in the new scenario. Returns what was done, by node.
    ///
    /// # Errors
    /// It takes another lab, or the new configuration is refused: then all runs as before.
    pub async fn configure(
        &mut self,
        now: &Scenario,
        scenario: &Rc<Scenario>,
    ) -> Result<Vec<(NodeName, Done)>, RunError> {
        let (was, scenario) = match self.pva {
            Some(pva) => (
                RunPlan::new(&now.with_pva_acceleration(pva), self.engines)?,
                Rc::new(scenario.with_pva_acceleration(pva)),
            ),
            None => (RunPlan::new(now, self.engines)?, Rc::clone(scenario)),
        };
        let plan = RunPlan::new(&scenario, self.engines)?;
        check_lab(&was, &plan)?;
        let done = match self.components.configure(self.lab, &plan).await {
            Ok(done) => done,
            Err(error) => {
                // What was done up to then is undone.
                let undone = self.components.configure(self.lab, &was).await;
                return Err(undone.err().into_iter().fold(error, RunError::and));
            }
        };
        self.scenario = scenario;
        Ok(done)
    }

    /// What members and other settings of each forwarder differ in from the scenario, a phrase each: as
    /// steps and `labsim forwarder ctl` have changed them.
    pub async fn forwarder_changes(&mut self) -> BTreeMap<NodeName, Vec<String>> {
        let mut changes = BTreeMap::new();
        for forwarder in self.components.forwarders() {
            let node = forwarder.node().clone();
            let of_node = match forwarder.differences().await {
                Ok(differences) => differences,
                Err(error) => vec![format!("members cannot be compared: {error}")],
            };
            changes.insert(node, of_node);
        }
        changes
    }
}

/// Checks that two plans have the same network.
fn check_lab(was: &RunPlan, plan: &RunPlan) -> Result<(), RunError> {
    if was.lab == plan.lab {
        return Ok(());
    }
    let mut pairs = was.lab.nodes.iter().zip(&plan.lab.nodes);
    let node = pairs.find(|(was, is)| was != is).map(|(_, is)| format!(" of {}", is.name));
    Err(RunError::step_impossible(format!(
        "with this configuration the kernel{} is set up in another way when the lab is built; change the file, \
         and bring the lab up anew",
        node.unwrap_or_default()
    )))
}
