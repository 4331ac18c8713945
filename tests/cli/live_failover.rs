//! A failover in a lab that stays up, and its way back.

use crate::support::labs::Labs;

#[test]
fn a_load_balancer_takes_over_in_a_lab_that_is_up_and_reset_undoes_it() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/takeover.yaml"]).exits(0);
    let failover = |fields: &str| labs.labsim(&["set", "failover", fields]);
    let taken_over = failover("from: lb, to: lb2").exits(0);
    taken_over.says("lb2 is active, in place of lb");
    let status = labs.labsim(&["status"]).exits(0);
    status.says("changed: the load balancer is standby, was active");
    status.says("changed: the load balancer is active, was standby");
    labs.labsim(&["step", "before"]).exits(0).says("step before: pass");
    failover("from: lb, to: lb2").exits(1).says("lb2 is active already");
    failover("from: lb, to: rs1").exits(2).says("`rs1` is not a load balancer");
    // Started again it is still on standby.
    labs.labsim(&["set", "kill_forwarder", "node: lb"]).exits(0);
    labs.labsim(&["set", "start_forwarder", "node: lb"]).exits(0);
    labs.labsim(&["status"]).exits(0).says("changed: the load balancer is standby, was active");
    // Another configuration changes nothing of that.
    let other = "lb: {announcements: {count: 2}}";
    labs.labsim(&["set", "load_balancers", other]).exits(0);
    labs.labsim(&["status"]).exits(0).says("changed: the load balancer is standby, was active");
    let reset = labs.labsim(&["reset"]).exits(0);
    reset.says("lb: undone: the load balancer is standby, was active");
    let status = labs.labsim(&["status"]).exits(0);
    assert!(!status.stdout.contains("changed: "), "{status:?}");
    labs.labsim(&["check"]).exits(0).says("PASS takeover");
}

#[test]
fn the_steps_of_a_scenario_take_over_one_by_one() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/takeover-mirrored.yaml", "--at", "failover"]).exits(0);
    let failover = labs.labsim(&["step"]).exits(0);
    failover.says("step failover: done: lb2 is active with ").says(" mirrored flow");
    labs.labsim(&["step"]).exits(0).says("step resume: pass");
}
