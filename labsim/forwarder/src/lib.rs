//! The load balancer: a pure machine from frames and the time to verdicts.
