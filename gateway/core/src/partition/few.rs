//! A queue of mostly one item, which then needs no memory beside it.

use alloc::collections::VecDeque;

/// Room for so many further items is kept when they are gone.
const ROOM_KEPT: usize = 8;

#[derive(Debug)]
pub(super) struct Few<T> {
    /// None only if the queue is empty.
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Few<T> {
    /// Items beside the first one for which there is room.
    pub(super) fn capacity(&self) -> usize {
        self.rest.capacity()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) const fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(super) fn second(&self) -> Option<&T> {
        self.rest.front()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.rest.back().or(self.first.as_ref())
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.rest.back_mut().or(self.first.as_mut())
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        self.first = self.rest.pop_front();
        if self.rest.is_empty() && self.rest.capacity() > ROOM_KEPT {
            self.rest = VecDeque::new();
        }
        first
    }

    /// The item with a key, if the items are in the order of their keys.
    pub(super) fn search_mut<K: Ord>(&mut self, key: &K, of: impl Fn(&T) -> K) -> Option<&mut T> {
        match &mut self.first {
            Some(first) if of(first) == *key => Some(first),
            _ => {
                let index = self.rest.binary_search_by_key(key, of).ok()?;
                self.rest.get_mut(index)
            }
        }
    }
}
