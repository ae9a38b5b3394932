//! The values of one instance while its group is processed. Knows which of them changed, so that only those travel back.

use crate::address::FunctionType;
use crate::error::UndeclaredValue;
use crate::spec::DeclaredValue;
use crate::value::Value;

/// The values of one instance, in the order of declaration.
#[derive(Debug)]
pub(crate) struct Values {
    cells: Vec<Cell>,
}

/// One value.
#[derive(Debug)]
pub(crate) struct Cell {
    declared: DeclaredValue,
    value: Option<Value>,
    dirty: bool,
}

/// A value that changed: what it became, or nothing.
pub(crate) type Mutation = (&'static str, Option<Value>);

impl Values {
    /// Takes what arrived. Values that are not declared any more are left out. Declared values that did not arrive are the
    /// error: the gateway does not know of them yet.
    pub(crate) fn take(
        declared: &[DeclaredValue],
        mut arrived: Vec<(String, Option<Value>)>,
    ) -> Result<Self, Vec<DeclaredValue>> {
        let mut missing = Vec::new();
        let mut cells = Vec::with_capacity(declared.len());
        for spec in declared {
            // They are few. Of two with one name the later one counts.
            match arrived.iter_mut().rfind(|(name, _)| name == spec.name) {
                Some((_, value)) => {
                    cells.push(Cell { declared: *spec, value: value.take(), dirty: false });
                }
                None => missing.push(*spec),
            }
        }
        if missing.is_empty() { Ok(Self { cells }) } else { Err(missing) }
    }

    pub(crate) fn cell(
        &self,
        function: &FunctionType,
        spec: DeclaredValue,
    ) -> Result<&Cell, UndeclaredValue> {
        self.cells.iter().find(|cell| cell.is(spec)).ok_or_else(|| undeclared(function, spec))
    }

    pub(crate) fn cell_mut(
        &mut self,
        function: &FunctionType,
        spec: DeclaredValue,
    ) -> Result<&mut Cell, UndeclaredValue> {
        self.cells.iter_mut().find(|cell| cell.is(spec)).ok_or_else(|| undeclared(function, spec))
    }

    /// One mutation for each value that was written, however often.
    pub(crate) fn into_mutations(self) -> Vec<Mutation> {
        let dirty = self.cells.into_iter().filter(|cell| cell.dirty);
        dirty.map(|cell| (cell.declared.name, cell.value)).collect()
    }
}

impl Cell {
    fn is(&self, spec: DeclaredValue) -> bool {
        self.declared.name == spec.name && self.declared.typename == spec.typename
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub(crate) fn set(&mut self, value: Option<Value>) {
        self.value = value;
        self.dirty = true;
    }
}

fn undeclared(function: &FunctionType, spec: DeclaredValue) -> UndeclaredValue {
    let DeclaredValue { name, typename, .. } = spec;
    UndeclaredValue { function: function.to_string(), name, typename }
}
