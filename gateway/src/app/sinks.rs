//! The sinks of declared egresses.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::address::EgressId;
use tidegate_core::partition::event::Event;

use crate::config::module::{self, Egress, EgressKind};
use crate::driver::DriverHandle;
use crate::egress::file::{FileEgressConfig, FileEgressError, FileSink};
use crate::egress::http::HttpSink;
use crate::egress::open::Open;
use crate::egress::{Acknowledge, Awaited, Sink};

/// Sinks that are open, by what their egresses are inside.
#[derive(Clone, Default)]
pub(super) struct Sinks {
    http: HashMap<EgressId, Arc<HttpSink>>,
    /// Most bytes that may wait for readers.
    most: BTreeMap<EgressId, u64>,
    files: HashMap<EgressId, Arc<FileSink>>,
}

impl Sinks {
    /// Opens the sinks of egresses, or none of them. Files are read, which may take long.
    pub(super) fn open<'e>(
        egresses: impl IntoIterator<Item = &'e Egress>,
        drivers: &[DriverHandle],
    ) -> Result<Self, FileEgressError> {
        let acknowledge = acknowledge(drivers);
        let mut sinks = Self::default();
        for egress in egresses {
            match &egress.kind {
                EgressKind::Http(retention) => sinks.hold(&egress.id, retention, &acknowledge),
                EgressKind::Playground(_) => {
                    // What nobody fetches waits in rows.
                    let retention = module::Retention { age: None, bytes: u64::MAX };
                    for topic in egress.inside() {
                        sinks.hold(&topic, &retention, &acknowledge);
                    }
                }
                EgressKind::File { path } => {
                    let config = FileEgressConfig { id: egress.id.clone(), path: path.clone() };
                    let sink = FileSink::open(config, Arc::clone(&acknowledge))?;
                    sinks.files.insert(egress.id.clone(), Arc::new(sink));
                }
            }
        }
        Ok(sinks)
    }

    fn hold(&mut self, id: &EgressId, declared: &module::Retention, acknowledge: &Acknowledge) {
        let age = declared.age.unwrap_or(Duration::MAX);
        let sink = HttpSink::new(id.clone(), age, Arc::clone(acknowledge));
        self.http.insert(id.clone(), Arc::new(sink));
        self.most.insert(id.clone(), declared.bytes);
    }

    /// Takes some out.
    pub(super) fn take(&mut self, ids: &[EgressId]) -> Self {
        let http = ids.iter().filter_map(|id| self.http.remove_entry(id)).collect();
        let most = ids.iter().filter_map(|id| self.most.remove_entry(id)).collect();
        let files = ids.iter().filter_map(|id| self.files.remove_entry(id)).collect();
        Self { http, most, files }
    }

    /// Adds others.
    pub(super) fn extend(&mut self, others: Self) {
        self.http.extend(others.http);
        self.most.extend(others.most);
        self.files.extend(others.files);
    }

    /// What drivers and readers look up.
    pub(super) fn as_open(&self) -> Open {
        let http = self.http.iter().map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Sink>));
        let files = self.files.iter().map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Sink>));
        let awaited =
            self.http.iter().map(|(id, sink)| (id.clone(), sink.clone() as Arc<dyn Awaited>));
        let most = self.most.clone();
        Open { sinks: http.chain(files).collect(), awaited: awaited.collect(), most }
    }

    /// Those that give up records that are too old.
    pub(super) fn expiring(&self) -> Vec<Arc<HttpSink>> {
        self.http.values().cloned().collect()
    }
}

fn acknowledge(drivers: &[DriverHandle]) -> Acknowledge {
    let drivers = drivers.to_vec();
    Arc::new(move |egress, partition, through| {
        if let Some(driver) = drivers.get(usize::from(partition.0)) {
            driver.happened(Event::EgressAcknowledged { egress: egress.clone(), through });
        }
    })
}
