//! Runs a scenario: plan, build, traffic, observe, judge; emits events.
