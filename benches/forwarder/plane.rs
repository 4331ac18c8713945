//! The whole forwarder as a process, beside the kernel's own `ip_forward` on the same path, which
//! is the limit: rates and CPU time, latency at a low load, and bulk TCP through a VIP.

mod bulk;
mod contestant;
mod generator;
mod latency;
mod path;
mod rate;
mod socket;

use path::Lab;

/// Prints the tables; whether everything wanted was reached.
pub(crate) fn print() -> bool {
    labsim_lab::gain_rights().unwrap_or_else(|error| panic!("{error}"));
    let lab = Lab::build();
    println!("The forwarder in a namespace of its own, one arm, beside ip_forward");
    let kept = rate::print(&lab);
    latency::print(&lab);
    drop(lab);
    bulk::print();
    kept
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
