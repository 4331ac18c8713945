//! The whole forwarder as a process, beside the kernel's own `ip_forward` on the same path, which
//! is the limit: rates and CPU time, latency at a low load, and bulk TCP through a VIP.

mod behaviour;
mod bulk;
mod contestant;
mod generator;
mod instructions;
mod latency;
mod path;
mod rate;
mod socket;

use crate::scale::Scale;
pub(crate) use behaviour::print as print_behaviour;
pub(crate) use instructions::print as print_instructions;
use path::Lab;

/// Prints the tables; whether all targets were reached.
pub(crate) fn print(scale: Scale) -> bool {
    labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    let lab = Lab::build();
    println!("The forwarder in a namespace of its own, one arm, compared with ip_forward");
    let kept = rate::print(&lab, scale);
    latency::print(&lab, scale);
    drop(lab);
    bulk::print(scale);
    kept
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
