//! A table of few things, found by handle: a small number for each address in memory, and room for as many things as there
//! are.

use alloc::vec::Vec;

use super::directory::Handle;

#[derive(Debug)]
pub(super) struct Slots<T> {
    /// By handle: one more than the index of its thing, or 0.
    places: Vec<u32>,
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), things: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// What the table takes for each handle, in bytes.
    pub(super) const BYTES_PER_HANDLE: usize = size_of::<u32>();
    /// What it takes for each thing.
    pub(super) const BYTES_PER_THING: usize = size_of::<Option<T>>() + size_of::<u32>();

    /// How many things there have been at once: room for them is kept.
    pub(super) fn room(&self) -> usize {
        self.things.len()
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let index = self.places.get(handle.index())?.checked_sub(1)?;
        self.things.get(index as usize)?.as_ref()
    }

    /// Says what was there before.
    pub(super) fn insert(&mut self, handle: Handle, thing: T) -> Option<T> {
        let before = self.remove(handle);
        if self.places.len() <= handle.index() {
            self.places.resize(handle.index() + 1, 0);
        }
        let index = match self.free.pop() {
            Some(index) => {
                self.things[index as usize] = Some(thing);
                index
            }
            None => {
                self.things.push(Some(thing));
                // There are fewer things than handles, which are such numbers.
                self.things.len() as u32 - 1
            }
        };
        self.places[handle.index()] = index + 1;
        before
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let place = self.places.get_mut(handle.index())?;
        let index = core::mem::take(place).checked_sub(1)?;
        self.free.push(index);
        self.things.get_mut(index as usize)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_and_go_without_leaving_holes() {
        let mut slots = Slots::default();
        let handle = Handle::from_index;
        assert_eq!(slots.insert(handle(7), "seven"), None);
        assert_eq!(slots.insert(handle(2), "two"), None);
        assert_eq!(slots.get(handle(7)), Some(&"seven"));
        assert_eq!((slots.get(handle(1)), slots.get(handle(100))), (None, None));
        assert_eq!(slots.insert(handle(7), "again"), Some("seven"));
        assert_eq!(slots.remove(handle(2)), Some("two"));
        assert_eq!(slots.remove(handle(2)), None);
        assert_eq!(slots.insert(handle(9), "nine"), None);
        assert_eq!((slots.get(handle(7)), slots.get(handle(9))), (Some(&"again"), Some(&"nine")));
        assert_eq!(slots.room(), 2);
    }
}
