//! Reads YAML into a tree that knows where everything stands. Scalars keep their text: what a text means is
//! decided by the key that it belongs to, not by YAML's guesses.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::fault::{Code, Fault, Faults, Place};

/// Deepest nesting that is read; no module is nearly as deep.
const DEPTH_MAX: usize = 64;
/// Most nodes that aliases may repeat, so that a few lines cannot fill the memory.
const ALIASED_NODES_MAX: usize = 10_000;

/// A value with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What stands at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn size(&self) -> usize {
        match &self.value {
            Value::Null | Value::Text(_) => 1,
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(entries) => {
                1 + entries.iter().map(|(key, value)| key.size() + value.size()).sum::<usize>()
            }
        }
    }
}

/// The documents of a file, in order; faults are added to `faults`. After a syntax fault, the documents before it.
pub(crate) fn read(text: &str, source: &str, faults: &mut Faults) -> Vec<Node> {
    let parser = Parser::new_from_str(text);
    let mut reader =
        Reader { parser, source, document: 0, anchors: BTreeMap::new(), aliased: 0, faults };
    let mut documents = Vec::new();
    if let Err(error) = reader.documents(&mut documents) {
        let place = reader.place(*error.marker());
        let text = format!("not valid YAML: {}", error.info());
        reader.faults.push(Fault::new(Code::Syntax, source, text).at(place));
    }
    documents
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    source: &'a str,
    document: usize,
    anchors: BTreeMap<usize, Node>,
    aliased: usize,
    faults: &'a mut Faults,
}

impl<'a> Reader<'a> {
    fn documents(&mut self, documents: &mut Vec<Node>) -> Result<(), ScanError> {
        while let Some(next) = self.parser.next_event() {
            let (event, span) = next?;
            match event {
                Event::DocumentStart(_) => self.document += 1,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
                event => documents.push(self.node(event, span.start, 0)?),
            }
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, start: Marker, depth: usize) -> Result<Node, ScanError> {
        if depth > DEPTH_MAX {
            return Err(ScanError::new_str(start, "nested too deeply"));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor, start),
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(&text, style)),
            Event::SequenceStart(anchor, _) => (anchor, Value::List(self.list(depth)?)),
            Event::MappingStart(anchor, _) => (anchor, Value::Map(self.map(depth)?)),
            _ => return Err(ScanError::new_str(start, "a value is missing here")),
        };
        let node = Node { place: self.place(start), value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, ScanError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, start) => items.push(self.node(event, start, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, ScanError> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(entries),
                (event, start) => self.node(event, start, depth + 1)?,
            };
            let (event, start) = self.next()?;
            let value = self.node(event, start, depth + 1)?;
            match entries.iter().find(|(earlier, _)| earlier.value == key.value) {
                Some((earlier, _)) => self.repeated(&key, earlier.place),
                None => entries.push((key, value)),
            }
        }
    }

    fn repeated(&mut self, key: &Node, earlier: Place) {
        let text = format!("the key `{}` stands here twice", key.text().unwrap_or_default());
        let fault = Fault::new(Code::Duplicate, self.source, text).at(key.place);
        self.faults.push(fault.with_help(format!("it stands in line {} already", earlier.line)));
    }

    fn alias(&mut self, anchor: usize, start: Marker) -> Result<Node, ScanError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(ScanError::new_str(start, "the alias names no earlier anchor"));
        };
        self.aliased += node.size();
        if self.aliased > ALIASED_NODES_MAX {
            return Err(ScanError::new_str(start, "aliases repeat too much"));
        }
        Ok(node.clone())
    }

    fn next(&mut self) -> Result<(Event<'a>, Marker), ScanError> {
        match self.parser.next_event() {
            Some(next) => next.map(|(event, span)| (event, span.start)),
            None => Err(ScanError::new_str(Marker::default(), "the file ends too early")),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        let document = Some(self.document.max(1));
        Place { line: marker.line(), column: marker.col() + 1, document }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let absent = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if absent { Value::Null } else { Value::Text(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test fails by panicking

    use super::*;

    fn read_text(text: &str) -> (Vec<Node>, Faults) {
        let mut faults = Faults::default();
        let documents = read(text, "m.yaml", &mut faults);
        (documents, faults)
    }

    #[test]
    fn every_value_knows_its_place() {
        let (documents, faults) = read_text("a: 1\n---\nb:\n  - x\n  - {c: 007}\n");
        assert!(faults.is_empty(), "{faults}");
        let Value::List(items) = &documents[1].get("b").unwrap().value else {
            panic!("not a list")
        };
        let seven = items[1].get("c").unwrap();
        assert_eq!(seven.text(), Some("007"));
        assert_eq!(seven.place, Place { line: 5, column: 9, document: Some(2) });
    }

    #[test]
    fn a_repeated_key_is_a_fault_and_the_rest_is_read() {
        let (documents, faults) = read_text("a: 1\na: 2\nb: 3\n");
        assert_eq!(faults.len(), 1);
        assert!(faults.to_string().contains("m.yaml:2:1"), "{faults}");
        assert_eq!(documents[0].get("b").unwrap().text(), Some("3"));
    }

    #[test]
    fn a_syntax_fault_keeps_the_documents_before_it() {
        let (documents, faults) = read_text("a: 1\n---\nb: [1, 2\nc: }\n");
        assert_eq!(documents.len(), 1);
        assert!(faults.to_string().contains("TG-0101"), "{faults}");
        assert!(faults.to_string().contains("(document 2)"), "{faults}");
    }

    #[test]
    fn aliases_repeat_what_they_name_but_not_without_end() {
        let (documents, faults) = read_text("a: &x {t: 1min}\nb: *x\n");
        assert!(faults.is_empty(), "{faults}");
        assert_eq!(documents[0].get("b").unwrap().get("t").unwrap().text(), Some("1min"));

        let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(read_text(&bomb).1.to_string().contains("aliases repeat too much"));
        let deep = "[".repeat(200);
        assert!(!read_text(&deep).1.is_empty());
    }

    #[test]
    fn only_an_unquoted_null_is_nothing() {
        let (documents, _) = read_text("a: ~\nb: 'null'\nc:\n");
        assert_eq!(documents[0].get("a").unwrap().value, Value::Null);
        assert_eq!(documents[0].get("b").unwrap().text(), Some("null"));
        assert_eq!(documents[0].get("c").unwrap().value, Value::Null);
    }
}
