//! Settings: what modules keep, how sections lay them over one another, and the memo of merges.
//!
//! The core of the server knows nothing of what a module stores. A module's settings are a type
//! with a [`Config`] implementation; a [`Conf`] holds one slot for each type that something was
//! said about. Merging follows Apache to the letter (see `docs/architecture.md`, "Merging is not a
//! left fold"): only where both sides have a slot are they merged; else the one there is is taken.

use crate::diag::{FileId, Span};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{
    any::{Any, TypeId},
    fmt,
    rc::Rc,
    sync::Arc,
};

/// One module's settings, as said in one place. `Default` is "nothing said".
pub trait Config: Default + Clone + fmt::Debug + Send + Sync + 'static {
    /// What holds inside a section: what it says (`self`) over what holds around it (`outer`).
    fn merge(&self, outer: &Self) -> Self;
}

/// A setting and the directive that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// What was said.
    pub value: T,
    /// The directive that said it.
    pub at: Span,
}

impl<T> Setting<T> {
    /// A value said at `at`.
    pub fn new(value: T, at: Span) -> Self {
        Setting { value, at }
    }
}

/// A setting that may be unsaid; most fields of a [`Config`] are of this type.
pub type Said<T> = Option<Setting<T>>;

/// What [`Said`] values can do besides what `Option` does.
pub trait SaidExt<T> {
    /// The value, or what holds when nothing was said.
    fn value_or(&self, default: T) -> T
    where
        T: Copy;
    /// The value by reference.
    fn value(&self) -> Option<&T>;
    /// The directive that said it, or [`Span::BUILTIN`].
    fn at(&self) -> Span;
    /// What the inner section said, else what the outer did.
    fn over(&self, outer: &Self) -> Self;
}

impl<T: Clone> SaidExt<T> for Said<T> {
    fn value_or(&self, default: T) -> T
    where
        T: Copy,
    {
        self.as_ref().map_or(default, |setting| setting.value)
    }

    fn value(&self) -> Option<&T> {
        self.as_ref().map(|setting| &setting.value)
    }

    fn at(&self) -> Span {
        self.as_ref().map_or(Span::BUILTIN, |setting| setting.at)
    }

    fn over(&self, outer: &Self) -> Self {
        self.as_ref().or(outer.as_ref()).cloned()
    }
}

/// Every module's settings at one place. A module that said nothing has no slot.
#[derive(Clone, Default)]
pub struct Conf {
    /// Sorted by type.
    slots: Slots,
    /// Where settings are found that have no slot here; see [`Conf::over`].
    under: Option<Arc<Conf>>,
}

type Slots = Vec<(TypeId, Arc<dyn Slot>)>;

impl fmt::Debug for Conf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.slots.iter().map(|(_, slot)| slot.debug())).finish()
    }
}

/// A settings type, nameable in a module's constant table.
#[derive(Clone, Copy)]
pub struct Kind {
    make: fn(&mut Conf),
    /// Whether every virtual host has such settings, which are merged even if they say nothing.
    every_host: bool,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kind")
    }
}

impl Kind {
    /// The kind of `C`.
    pub const fn of<C: Config>() -> Kind {
        Kind {
            make: |conf| {
                conf.slot::<C>();
            },
            every_host: false,
        }
    }

    /// The kind of `C`, a server's settings of which a virtual host does not inherit all: its own are
    /// merged with the main server's even where it says nothing.
    pub const fn of_every_host<C: Config>() -> Kind {
        Kind { every_host: true, ..Kind::of::<C>() }
    }

    /// See [`Kind::of_every_host`].
    pub fn is_of_every_host(&self) -> bool {
        self.every_host
    }
}

impl Conf {
    /// The server's default section: a slot for every kind, so that [`Conf::get`] is total on
    /// everything that is merged over it.
    pub fn base<'k>(kinds: impl IntoIterator<Item = &'k Kind>) -> Conf {
        let mut conf = Conf::default();
        kinds.into_iter().for_each(|kind| (kind.make)(&mut conf));
        conf
    }

    /// The settings of type `C`. Total on a [`Conf::base`] and on what is merged over one.
    pub fn get<C: Config>(&self) -> &C {
        self.find::<C>().expect("every kind of every module has a slot in the base")
    }

    /// The settings of type `C`, if something was said about them here.
    pub fn find<C: Config>(&self) -> Option<&C> {
        (**self.shared(TypeId::of::<C>())?).any().downcast_ref()
    }

    fn shared(&self, id: TypeId) -> Option<&Arc<dyn Slot>> {
        match self.slots.binary_search_by_key(&id, |slot| slot.0) {
            Ok(at) => Some(&self.slots[at].1),
            Err(_) => self.under.as_ref()?.shared(id),
        }
    }

    /// The settings of type `C`, to be changed; made if there are none yet.
    pub fn slot<C: Config>(&mut self) -> &mut C {
        let id = TypeId::of::<C>();
        let at = self.slots.binary_search_by_key(&id, |slot| slot.0).unwrap_or_else(|at| {
            let below = self.under.as_ref().and_then(|under| under.shared(id)).cloned();
            self.slots.insert(at, (id, below.unwrap_or_else(|| Arc::new(C::default()))));
            at
        });
        let slot = &mut self.slots[at].1;
        if Arc::get_mut(slot).is_none() {
            *slot = (**slot).boxed_clone();
        }
        let slot = Arc::get_mut(slot).expect("just made, so not shared");
        slot.any_mut().downcast_mut().expect("slots are keyed by type")
    }

    /// This laid over `outer`, slot by slot; where only one side has a slot it is taken unmerged.
    pub fn merge(&self, outer: &Conf) -> Conf {
        let mut slots = outer.all_slots();
        for (id, inner) in &self.slots {
            match slots.binary_search_by_key(id, |slot| slot.0) {
                Ok(at) => slots[at].1 = inner.merge_over(&*slots[at].1),
                Err(at) => slots.insert(at, (*id, inner.clone())),
            }
        }
        Conf { slots, under: None }
    }

    /// The same result, except that what has no slot here is found in `outer` and not copied: for
    /// the many virtual hosts over the one main server.
    pub fn over(&self, outer: &Arc<Conf>) -> Conf {
        let merged = |(id, inner): &(TypeId, Arc<dyn Slot>)| {
            (*id, outer.shared(*id).map_or_else(|| inner.clone(), |outer| inner.merge_over(&**outer)))
        };
        Conf { slots: self.slots.iter().map(merged).collect(), under: Some(Arc::clone(outer)) }
    }

    fn all_slots(&self) -> Slots {
        let Some(under) = &self.under else { return self.slots.clone() };
        let mut slots = under.all_slots();
        for (id, own) in &self.slots {
            match slots.binary_search_by_key(id, |slot| slot.0) {
                Ok(at) => slots[at].1 = own.clone(),
                Err(at) => slots.insert(at, (*id, own.clone())),
            }
        }
        slots
    }

    /// The directives whose settings are kept here, among those that were overridden on the way
    /// none. For introspection, not for requests: what knows its directive says so when it is
    /// printed, so that no module has to list its settings a second time.
    pub fn directives(&self) -> FxHashSet<Span> {
        spans_in(&Conf { slots: self.all_slots(), under: None })
    }

    /// The same without what is found in the [`Conf::over`] below.
    pub fn own_directives(&self) -> FxHashSet<Span> {
        spans_in(self)
    }

    /// Whether nothing at all was said.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.under.is_none()
    }
}

/// The places that a value names when it is printed. A text in it is printed with its quotes
/// escaped and can name a place only by chance, which then is one more, never one less.
pub fn spans_in(value: &dyn fmt::Debug) -> FxHashSet<Span> {
    let text = format!("{value:?}");
    let mut found: FxHashSet<Span> = text.split("Span { file: FileId(").skip(1).filter_map(span_at).collect();
    found.remove(&Span::BUILTIN);
    found
}

/// `3), start: 10, end: 20 }…`
fn span_at(text: &str) -> Option<Span> {
    let (file, rest) = text.split_once("), start: ")?;
    let (start, rest) = rest.split_once(", end: ")?;
    let (end, _) = rest.split_once(" }")?;
    Some(Span::new(FileId(file.parse().ok()?), start.parse().ok()?, end.parse().ok()?))
}

trait Slot: Any + Send + Sync {
    fn merge_over(&self, outer: &dyn Slot) -> Arc<dyn Slot>;
    fn boxed_clone(&self) -> Arc<dyn Slot>;
    fn any(&self) -> &dyn Any;
    fn any_mut(&mut self) -> &mut dyn Any;
    fn debug(&self) -> &dyn fmt::Debug;
}

impl<C: Config> Slot for C {
    fn merge_over(&self, outer: &dyn Slot) -> Arc<dyn Slot> {
        Arc::new(self.merge(outer.any().downcast_ref().expect("slots are keyed by type")))
    }

    fn boxed_clone(&self) -> Arc<dyn Slot> {
        Arc::new(self.clone())
    }

    fn any(&self) -> &dyn Any {
        self
    }

    fn any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn debug(&self) -> &dyn fmt::Debug {
        self
    }
}

/// A number for merged settings. Equal numbers mean the very same policy; a number is never used
/// twice in the life of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfId(pub u64);

/// Settings with their number.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The number.
    pub id: ConfId,
    /// The settings.
    pub conf: Rc<Conf>,
}

/// The memo of merges, one per worker: the same sections in the same order are merged once.
///
/// It is bounded: when it grows past [`Merges::LIMIT`] it is emptied and fills again. Numbers go
/// on counting, so what a request still holds stays distinct.
#[derive(Debug)]
pub struct Merges {
    pairs: FxHashMap<(ConfId, ConfId), Merged>,
    next: u64,
}

impl Merges {
    /// Most merges remembered at a time.
    pub const LIMIT: usize = 16 * 1024;

    /// A memo whose own numbers start at `first`; smaller ones belong to the policy's sections.
    pub fn new(first: u64) -> Self {
        Merges { pairs: FxHashMap::default(), next: first }
    }

    /// Numbers settings that no memo knows, such as those of a `.htaccess` file just read.
    pub fn intern(&mut self, conf: Conf) -> Merged {
        let id = ConfId(self.next);
        self.next += 1;
        Merged { id, conf: Rc::new(conf) }
    }

    /// `inner` laid over `outer`, from memory where they met before.
    pub fn merge(&mut self, outer: &Merged, inner: &Merged) -> Merged {
        let key = (outer.id, inner.id);
        if let Some(known) = self.pairs.get(&key) {
            return known.clone();
        }
        let merged = self.intern(inner.conf.merge(&outer.conf));
        if self.pairs.len() >= Self::LIMIT {
            self.pairs.clear();
        }
        self.pairs.insert(key, merged.clone());
        merged
    }

    /// The counter of numbers, for sections read at run time.
    pub fn next_id(&mut self) -> &mut u64 {
        &mut self.next
    }

    /// How many merges are remembered now.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// One group of sections (directories, files, locations or ifs), folded by itself and laid over
/// what surrounds it at the end: `outer + (s1 + s2 + s3)`, never `((outer + s1) + s2) + s3`.
#[derive(Debug, Default)]
pub struct Group {
    folded: Option<Merged>,
}

impl Group {
    /// Adds the next section of the group.
    pub fn push(&mut self, merges: &mut Merges, section: &Merged) {
        self.folded = Some(match &self.folded {
            Some(whole) => merges.merge(whole, section),
            None => section.clone(),
        });
    }

    /// The group over what surrounds it.
    pub fn over(self, merges: &mut Merges, outer: &Merged) -> Merged {
        match &self.folded {
            Some(whole) => merges.merge(outer, whole),
            None => outer.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slot whose merge is not associative, as mod_mime's is: "remove" is spent where it meets a set.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Handler {
        add: Option<&'static str>,
        remove: bool,
    }

    impl Config for Handler {
        fn merge(&self, outer: &Self) -> Self {
            let kept = if self.remove { None } else { outer.add };
            Handler { add: self.add.or(kept), remove: false }
        }
    }

    fn conf(handler: Handler) -> Conf {
        let mut conf = Conf::default();
        *conf.slot::<Handler>() = handler;
        conf
    }

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Other(u32);

    impl Config for Other {
        fn merge(&self, outer: &Self) -> Self {
            Other(self.0 + outer.0)
        }
    }

    #[derive(Clone, Debug, Default)]
    struct Spoken(Said<&'static str>);

    impl Config for Spoken {
        fn merge(&self, outer: &Self) -> Self {
            Spoken(self.0.over(&outer.0))
        }
    }

    #[test]
    fn settings_tell_their_directives() {
        let spoken = |text, start| {
            let mut conf = Conf::default();
            conf.slot::<Spoken>().0 = Some(Setting::new(text, Span::new(FileId(7), start, start + 1)));
            conf
        };
        let (inner, outer) = (spoken("Span { file: FileId(", 3), Arc::new(spoken("x", 1)));
        let only = |start| FxHashSet::from_iter([Span::new(FileId(7), start, start + 1)]);
        assert_eq!(inner.merge(&outer).directives(), only(3));
        assert_eq!(Conf::default().over(&outer).directives(), only(1));
        assert!(Conf::default().over(&outer).own_directives().is_empty());
    }

    #[test]
    fn laid_over_without_copies_it_reads_the_same() {
        let mut outer = conf(Handler { add: Some("x"), remove: false });
        outer.slot::<Other>().0 = 1;
        let outer = Arc::new(outer);
        let inner = conf(Handler { add: None, remove: true });
        for mut both in [inner.merge(&outer), inner.over(&outer)] {
            assert_eq!(both.find(), Some(&Handler::default()));
            assert_eq!(both.find(), Some(&Other(1)));
            both.slot::<Other>().0 += 1;
            assert_eq!((both.find(), outer.find()), (Some(&Other(2)), Some(&Other(1))));
            let mut third = Conf::default();
            third.slot::<Other>().0 = 5;
            assert_eq!(third.merge(&both).find(), Some(&Other(7)));
            assert_eq!(third.merge(&both).find(), Some(&Handler::default()));
        }
    }

    fn fold(outer: Conf, group: Vec<Conf>) -> Option<&'static str> {
        let mut merges = Merges::new(0);
        let outer = merges.intern(outer);
        let mut whole = Group::default();
        for section in group {
            let section = merges.intern(section);
            whole.push(&mut merges, &section);
        }
        whole.over(&mut merges, &outer).conf.find::<Handler>().and_then(|h| h.add)
    }

    fn set() -> Conf {
        conf(Handler { add: Some("x"), remove: false })
    }

    fn remove() -> Conf {
        conf(Handler { add: None, remove: true })
    }

    #[test]
    fn a_lone_section_is_merged_with_the_server() {
        assert_eq!(fold(set(), vec![remove()]), None);
    }

    #[test]
    fn a_section_of_the_same_module_before_it_spends_the_removal() {
        assert_eq!(fold(set(), vec![conf(Handler::default()), remove()]), Some("x"));
    }

    #[test]
    fn a_section_without_the_module_leaves_it_alone() {
        assert_eq!(fold(set(), vec![Conf::default(), remove()]), None);
    }

    #[test]
    fn the_same_two_are_merged_once() {
        let mut merges = Merges::new(0);
        let (outer, inner) = (merges.intern(set()), merges.intern(remove()));
        let first = merges.merge(&outer, &inner);
        assert_eq!(first.id, merges.merge(&outer, &inner).id);
        assert_eq!(merges.len(), 1);
    }
}
