//! The application is declared anew while the partition works. Its sinks may change with it.
//!
//! Between two sinks of one egress, records go to neither: an acknowledgement counts for all records before it, so the later
//! sink must not acknowledge what only the earlier one was handed. When the later one is open, everything that was not
//! acknowledged is handed out again, from the first record on and in order.

use std::sync::Arc;

use tidegate_core::address::EgressId;
use tidegate_core::id::Sequence;
use tidegate_core::partition::effect::Effect;
use tidegate_core::partition::event::Event;
use tidegate_core::partition::record::Emitted;
use tidegate_core::policy::Application;
use tokio::sync::oneshot;

use super::run::Driver;
use super::{Command, DriverHandle};

/// What drivers are told of an application.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Its functions and egresses.
    pub application: Arc<Application>,
    /// Egresses that get other sinks, or their first one: no record is handed out until they are reopened.
    pub closed: Arc<[EgressId]>,
}

impl DriverHandle {
    /// Declares the application anew. Resolves when the partition goes by it; with an error if its driver has ended.
    pub fn declare(&self, declaration: Declaration) -> oneshot::Receiver<()> {
        let (done, declared) = oneshot::channel();
        self.tell(Command::Declare { declaration, done });
        declared
    }

    /// Says that the sinks of closed egresses are open.
    pub fn reopen(&self, egresses: Arc<[EgressId]>) {
        self.tell(Command::Reopen { egresses });
    }
}

impl Driver {
    pub(super) fn declare(&mut self, declaration: Declaration, done: oneshot::Sender<()>) {
        self.closed.extend(declaration.closed.iter().cloned());
        self.handle(Event::ApplicationChanged(declaration.application));
        // Whoever declared it may have gone away.
        let _ = done.send(());
    }

    pub(super) fn reopen(&mut self, egresses: &[EgressId]) {
        // What waits at the gate is handed out again with all the rest, and must not arrive before what precedes it.
        self.gate.forget(
            |effect| matches!(effect, Effect::Emit { egress, .. } if egresses.contains(egress)),
        );
        self.closed.retain(|egress| !egresses.contains(egress));
        for egress in egresses {
            self.handle(Event::EgressReopened { egress: egress.clone() });
        }
    }

    /// Records of an egress that is not declared any more wait until it returns.
    pub(super) fn emit(&self, egress: &EgressId, sequence: Sequence, emitted: Emitted) {
        if self.closed.contains(egress) {
            return;
        }
        if let Some(sink) = self.shared.egresses.sink(egress) {
            sink.emit(self.partition.id(), sequence, emitted);
        }
    }
}
