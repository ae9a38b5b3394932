//! Names that come again with every line of a stream, so that a message shares them and does not bring its own.

use std::sync::Arc;

use tidegate_core::address::{AddressError, FunctionType};

/// Most names of a kind that a stream remembers; a stream that uses more pays for them again and again, no more.
const NAMES_KEPT: usize = 16;

/// The names that one stream has used lately.
#[derive(Default)]
pub(super) struct Names {
    functions: Vec<FunctionType>,
    typenames: Vec<Arc<str>>,
}

impl Names {
    /// The function type of a `namespace/name`.
    pub(super) fn function(&mut self, text: &str) -> Result<FunctionType, AddressError> {
        if let Some(known) = self.functions.iter().find(|function| function.as_str() == text) {
            return Ok(known.clone());
        }
        let function = FunctionType::parse(text)?;
        remember(&mut self.functions, &function);
        Ok(function)
    }

    /// A name of a type of values.
    pub(super) fn typename(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.typenames.iter().find(|typename| &***typename == text) {
            return Arc::clone(known);
        }
        let typename = Arc::from(text);
        remember(&mut self.typenames, &typename);
        typename
    }
}

fn remember<T: Clone>(kept: &mut Vec<T>, name: &T) {
    if kept.len() == NAMES_KEPT {
        kept.clear();
    }
    kept.push(name.clone());
}
