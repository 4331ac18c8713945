//! Load balancer configurations: in as a labsim topology and scenario, out as commands and
//! stanzas.
//!
//! Pure: text in, text out. What a configuration says and a lab cannot show is not dropped in
//! silence: [`Imported::left_out`] names each stanza and property with its place and why, and
//! [`Imported::warnings`] what contradicts itself.
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
//! # Ok::<(), labsim_import::Mistakes>(())
//! ```

#![forbid(unsafe_code)]

pub mod a10;
mod address;
mod design;
pub mod export;
pub mod f5;
mod lab;
mod note;
mod place;
mod report;
mod settle;
mod text;

pub use labsim_yaml::{Mistake, Mistakes, Source};
pub use note::{Imported, Note};
