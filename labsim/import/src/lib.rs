//! Load balancer configurations: in as a labsim topology and scenario, out as commands and
//! stanzas. The state of a Linux host: in as a real server of a scenario.
//!
//! Pure: text in, text out. What a configuration says and a lab cannot show is not dropped in
//! silence: [`Imported::not_imported`] names each stanza and property with its place and why,
//! [`Imported::warnings`] what contradicts itself, and [`Imported::left_out`] the lines that a
//! terminal, a pager or a document put between.
//!
//! ```
//! use labsim_import::{f5, Source};
//!
//! let text = "
//! ltm pool p { members { 10.1.1.51:49 { address 10.1.1.51 } } profiles { ipip } }
//! ltm virtual vs {
//!     destination 172.16.4.99:tacacs
//!     ip-protocol tcp
//!     pool p
//!     translate-address disabled
//! }";
//! let imported = f5::import(&[Source::new("bigip.conf", text)])?;
//! assert_eq!(imported.scenario_name, "bigip");
//! assert!(imported.scenario.contains("destination: 172.16.4.99:49"));
//! # Ok::<(), labsim_import::Diagnostics>(())
//! ```

#![forbid(unsafe_code)]

pub mod a10;
mod address;
pub mod balancer;
pub mod changes;
pub mod export;
pub mod f5;
mod lab;
mod lb_model;
pub mod linux;
mod lvs;
mod monitors;
mod note;
mod paste;
mod place;
mod report;
mod service_names;
mod text;
mod validate;

pub use labsim_yaml::{Diagnostic, Diagnostics, Source};
pub use lvs::{ipvs, keepalived};
pub use note::{Imported, Left, Line, Note};
