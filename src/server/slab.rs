//! Things with numbers that are not used again soon: connections and children.
//!
//! An event or a timer names its thing by a [`Key`]. A slot's generation changes when the slot is
//! freed, so that what was meant for its last owner finds nothing.

use mio::Token;

/// Number of a thing in a [`Slab`], with the generation of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

const INDEX_BITS: u32 = usize::BITS / 2;
const KIND_BITS: u32 = 3;
const GENERATION_MASK: usize = (1 << (usize::BITS - INDEX_BITS - KIND_BITS)) - 1;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

impl Key {
    /// A key for something that is no member of a slab.
    pub fn fixed(index: u32) -> Key {
        Key { index, generation: 0 }
    }

    /// The slot.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The key and a kind below 8 in one number for the poll.
    pub fn token(self, kind: u8) -> Token {
        let generation = self.generation as usize & GENERATION_MASK;
        Token(((usize::from(kind) << (INDEX_BITS - KIND_BITS) | generation) << INDEX_BITS) | self.index())
    }

    /// What [`Key::token`] was made of.
    pub fn of(token: Token) -> (u8, Key) {
        let high = token.0 >> INDEX_BITS;
        let index = u32::try_from(token.0 & INDEX_MASK).unwrap_or(u32::MAX);
        let generation = u32::try_from(high & GENERATION_MASK).unwrap_or(u32::MAX);
        let kind = u8::try_from(high >> (INDEX_BITS - KIND_BITS)).unwrap_or(u8::MAX);
        (kind, Key { index, generation })
    }
}

/// A vector with holes.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    used: bool,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Reserves a slot, to be filled with [`Slab::put`]; `None` when there are as many as can be
    /// numbered.
    pub fn reserve(&mut self) -> Option<Key> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok().filter(|&n| (n as usize) < INDEX_MASK)?;
                self.slots.push(Slot { generation: 1, used: false, value: None });
                index
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.used = true;
        Some(Key { index, generation: slot.generation })
    }

    /// Puts a value into its slot.
    pub fn put(&mut self, key: Key, value: T) {
        if let Some(slot) = self.slot(key) {
            slot.value = Some(value);
        }
    }

    /// The value in its slot.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot(key)?.value.as_mut()
    }

    /// Frees the slot, and gives back what was in it.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot(key)?;
        slot.used = false;
        slot.generation = ((slot.generation as usize + 1) & GENERATION_MASK) as u32;
        let value = slot.value.take();
        self.free.push(key.index);
        value
    }

    /// How many slots are in use.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The things in it.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    /// Whether none is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of all slots in use.
    pub fn keys(&self) -> Vec<Key> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.used);
        used.map(|(index, slot)| Key { index: index as u32, generation: slot.generation }).collect()
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(key.index())?;
        (slot.used && slot.generation == key.generation).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_does_not_answer_to_its_old_key() {
        let mut slab = Slab::default();
        let old = slab.reserve().unwrap();
        slab.put(old, "old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.reserve().unwrap();
        slab.put(new, "new");
        assert_eq!(old.index(), new.index());
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.get_mut(new), Some(&mut "new"));
    }

    #[test]
    fn a_reserved_slot_belongs_to_nobody_else() {
        let mut slab = Slab::default();
        let key = slab.reserve().unwrap();
        assert_ne!(slab.reserve().unwrap().index(), key.index());
        slab.put(key, 2);
        assert_eq!(slab.remove(key), Some(2));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn tokens_hold_kind_slot_and_generation() {
        let mut slab: Slab<()> = Slab::default();
        for _ in 0..100_000 {
            let key = slab.reserve().unwrap();
            assert_eq!(Key::of(key.token(5)), (5, key));
            slab.remove(key);
        }
        assert_ne!(Key::fixed(3).token(0), Key::fixed(3).token(7));
    }
}
