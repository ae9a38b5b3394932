//! `module.yaml`: what the application is. Each document declares a component with a `kind` and a `spec`.

mod application;
mod declared;
mod egress;
mod endpoint;
mod fields;
mod ingress;
mod kinds;
mod legacy;
mod model;
mod playground;
mod reader;
mod transport;

pub use kinds::{KINDS, Kind, NOT_YET};
pub use model::{
    Egress, EgressKind, Endpoint, FunctionPattern, HttpIngress, Ingress, IngressKind, KeySource,
    ModuleConfig, Playground, Retention, Tls, Transport, TransportKind, Treatment, UrlTemplate,
};

use self::fields::Report;
use self::reader::Reader;
use super::fault::Faults;
use super::yaml;

/// Reads a module. `source` names the file in faults. What is wrong is added to `faults`; if that has errors
/// afterwards, the module is not complete and must not be used.
pub fn read(text: &str, source: &str, faults: &mut Faults) -> ModuleConfig {
    let mut found = Faults::default();
    let documents = yaml::read(text, source, &mut found);
    let whole = !found.has_errors();
    let report = Report::new(source, &mut found);
    let documents = legacy::unfold(documents, &report);
    let mut reader = Reader::new(&report);
    for document in &documents {
        reader.document(document);
    }
    // After a syntax fault, what seems to be missing may only not have been read.
    if whole {
        reader.check();
    }
    let config = reader.finish();
    faults.extend(found);
    config
}
