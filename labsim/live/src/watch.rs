//! What happens in a lab, for clients that watch it: work that is done in it, and what is seen of it again and
//! again while somebody watches.

mod event;
mod forwarder;
mod look;
mod seen;
mod watchers;

pub(crate) use event::lines;
pub(crate) use look::look;
pub(crate) use watchers::Watchers;
