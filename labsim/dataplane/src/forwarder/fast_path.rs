//! The fast path as what forwards established flows in the engine's place ([`Offload`]), and which
//! packets it leaves to the kernel.

use crate::Error;
use crate::kernel::Interface;
use labsim_fast_path::{Capacity, FastPath, Owned};
use labsim_forwarder::{
    Engine, FlowUse, Instant, Offload, OffloadCounters, OffloadKey, OffloadPath, OffloadedFlow,
    RxFilter,
};
use std::cell::RefCell;
use std::rc::Rc;
use tracing::warn;

/// The program at the interface: the engine hands flows to it, and the data plane says whose packets
/// are whose.
#[derive(Debug, Clone)]
pub(super) struct KernelPath(Rc<RefCell<FastPath>>);

impl KernelPath {
    /// Attaches it to the interface.
    pub(super) fn attach(
        interface: &Interface,
        engine: &Engine,
        rx_filter: &RxFilter,
    ) -> Result<Self, Error> {
        let capacity = Capacity::of(engine.config());
        let program = FastPath::attach(&interface.name, interface.port.mac, capacity)?;
        let mut path = Self(Rc::new(RefCell::new(program)));
        path.set_filter(rx_filter)?;
        Ok(path)
    }

    /// The interface where the engine's packet ring listens.
    pub(super) fn engine_interface(&self) -> u32 {
        self.0.borrow().engine_interface()
    }

    /// Leaves these packets to the engine from here on.
    pub(super) fn set_filter(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        Ok(self.0.borrow_mut().set_owned(&Owned::of_filter(rx_filter))?)
    }

    /// Frames that it could not send.
    pub(super) fn lost(&self) -> u64 {
        self.0.borrow().lost().unwrap_or_else(|error| {
            warn!(%error, "the fast path's counters cannot be read");
            0
        })
    }
}

impl Offload for KernelPath {
    fn set_path(&mut self, number: u16, path: Option<OffloadPath>) {
        let mut program = self.0.borrow_mut();
        if let Err(error) = program.set_path(number, path) {
            warn!(%error, number, "the fast path does not take a path; its flows are the engine's");
            // What has an old path must not go on by it.
            if let Err(error) = program.remove_all() {
                warn!(%error, "the fast path does not give its flows back");
            }
        }
    }

    fn insert(&mut self, key: &OffloadKey, flow: &OffloadedFlow, last_seen: Instant) -> bool {
        self.0.borrow_mut().insert(key, flow, last_seen).unwrap_or_else(|error| {
            warn!(%error, "the fast path does not take a flow");
            false
        })
    }

    fn remove(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow_mut().remove(key)
    }

    fn flow_use(&mut self, key: &OffloadKey) -> Option<FlowUse> {
        self.0.borrow().flow_use(key)
    }

    fn remove_all(&mut self) {
        if let Err(error) = self.0.borrow_mut().remove_all() {
            warn!(%error, "the fast path does not give its flows back");
        }
    }

    fn counters(&self, servers: u16, members: u16) -> OffloadCounters {
        self.0.borrow().counters(servers, members).unwrap_or_else(|error| {
            warn!(%error, "the fast path's counters cannot be read");
            OffloadCounters::default()
        })
    }
}
