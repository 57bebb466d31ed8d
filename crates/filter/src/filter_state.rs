//! The filter state of a stream or of a connection.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use sandgate_attributes::{Declaration, LifeSpan, StateRefusal, StateValue};

/// The store of a connection, which its streams have behind their own: a [`FilterState`] without a parent.
pub type SharedFilterState = Rc<RefCell<FilterState>>;

/// Objects by name. Names are unique in a stream's store and the connection's together, as in Envoy.
#[derive(Clone, Debug, Default)]
pub struct FilterState {
    /// In the order they were first set.
    objects: Vec<StateObject>,
    /// The connection's store, of a stream's.
    parent: Option<SharedFilterState>,
}

#[derive(Clone, Debug)]
struct StateObject {
    key: Box<[u8]>,
    value: StateValue,
    life_span: LifeSpan,
    mutable: bool,
    /// A plugin declared that it can be set once.
    set_once: bool,
}

// === impl FilterState ===

impl FilterState {
    /// The store of a stream on the connection that has `parent`.
    #[must_use]
    pub fn of_stream(parent: &SharedFilterState) -> Self {
        Self { parent: Some(Rc::clone(parent)), ..Self::default() }
    }

    /// Whether there are no objects at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.parent.as_ref().is_none_or(|parent| parent.borrow().is_empty())
    }

    /// The object of that name.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<StateValue> {
        match self.objects.iter().find(|object| *object.key == *key) {
            Some(object) => Some(object.value.clone()),
            None => self.parent.as_ref()?.borrow().get(key),
        }
    }

    /// Sets an object as a filter of ours does.
    ///
    /// # Errors
    /// There is one of that name that does not go with it. Not bounded here: who lets a plugin call this bounds it.
    pub fn set(
        &mut self,
        key: &[u8],
        value: StateValue,
        mutable: bool,
        life_span: LifeSpan,
    ) -> Result<(), StateRefusal> {
        self.put(StateObject { key: key.into(), value, life_span, mutable, set_once: false })
    }

    /// Sets a property of a plugin: what it was declared to be counts when it is set for the first time.
    ///
    /// # Errors
    /// It was declared read-only and has a value, or an object that no plugin made is in the way.
    pub fn set_property(&mut self, key: &[u8], value: Bytes, declared: &Declaration) -> Result<(), StateRefusal> {
        if let Some(set) = self.reset_property(key, &value) {
            return set;
        }
        self.put(StateObject {
            key: key.into(),
            value: declared.kind.with_bytes(value),
            life_span: declared.life_span,
            mutable: true,
            set_once: declared.read_only,
        })
    }

    /// Bytes of names and values in the store of connections, this one or that behind it.
    #[must_use]
    pub fn connection_bytes(&self) -> usize {
        match &self.parent {
            Some(parent) => parent.borrow().connection_bytes(),
            None => self.objects.iter().map(|object| object.key.len() + object.value.size()).sum(),
        }
    }

    /// Changes a plugin's object that is there, wherever; `None` if it is not.
    fn reset_property(&mut self, key: &[u8], value: &Bytes) -> Option<Result<(), StateRefusal>> {
        let Some(object) = self.objects.iter_mut().find(|object| *object.key == *key) else {
            return self.parent.as_ref()?.borrow_mut().reset_property(key, value);
        };
        if object.set_once || !object.mutable {
            return Some(Err(StateRefusal::Conflict));
        }
        if !object.value.is_property() {
            return None;
        }
        object.value = object.value.with_bytes(value.clone());
        Some(Ok(()))
    }

    fn put(&mut self, new: StateObject) -> Result<(), StateRefusal> {
        let there = self.objects.iter_mut().find(|object| object.key == new.key);
        if let Some(old) = there {
            // In a connection's store, what was meant to live less long lives as long as the connection.
            let same_span = old.life_span == new.life_span || self.parent.is_none();
            // Whether one of them is read-only is of no account here (observed in Envoy 1.40).
            if !same_span {
                return Err(StateRefusal::Conflict);
            }
            *old = new;
            return Ok(());
        }
        match &self.parent {
            Some(parent) if new.life_span == LifeSpan::Connection => parent.borrow_mut().put(new),
            Some(parent) if parent.borrow().get(&new.key).is_some() => Err(StateRefusal::Conflict),
            _ => {
                self.objects.push(new);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_attributes::StateJson;

    use super::*;

    fn text(text: &'static str) -> StateValue {
        StateValue::Text { text: Bytes::from_static(text.as_bytes()), json: StateJson::None }
    }

    fn declared(read_only: bool, life_span: LifeSpan) -> Declaration {
        Declaration { read_only, life_span, ..Declaration::default() }
    }

    #[test]
    fn what_lives_with_the_connection_is_found_by_its_next_stream() {
        let connection = SharedFilterState::default();
        let mut first = FilterState::of_stream(&connection);
        first.set_property(b"a", Bytes::from_static(b"1"), &declared(false, LifeSpan::Connection)).unwrap();
        first.set_property(b"b", Bytes::from_static(b"2"), &declared(false, LifeSpan::Request)).unwrap();
        first.set_property(b"a", Bytes::from_static(b"3"), &Declaration::default()).unwrap();
        let second = FilterState::of_stream(&connection);
        assert_eq!(*second.get(b"a").unwrap().text().unwrap(), *b"3");
        assert_eq!(second.get(b"b"), None);
        assert_eq!(second.connection_bytes(), 2);
    }

    #[test]
    fn names_do_not_stand_twice() {
        let connection = SharedFilterState::default();
        let mut stream = FilterState::of_stream(&connection);
        stream.set(b"c", text("1"), true, LifeSpan::Connection).unwrap();
        assert_eq!(stream.set(b"c", text("2"), true, LifeSpan::Request), Err(StateRefusal::Conflict));
        stream.set(b"r", text("1"), true, LifeSpan::Request).unwrap();
        assert_eq!(stream.set(b"r", text("2"), true, LifeSpan::Connection), Err(StateRefusal::Conflict));
        assert_eq!(stream.set(b"r", text("2"), true, LifeSpan::FilterChain), Err(StateRefusal::Conflict));
        assert_eq!(stream.set(b"r", text("2"), true, LifeSpan::Request), Ok(()));
        assert_eq!(stream.get(b"r"), Some(text("2")));
    }

    #[test]
    fn read_only_objects_are_for_filters_to_change() {
        let mut stream = FilterState::default();
        stream.set(b"x", text("1"), false, LifeSpan::FilterChain).unwrap();
        assert_eq!(stream.set(b"x", text("2"), false, LifeSpan::FilterChain), Ok(()));
        let plugin = stream.set_property(b"x", Bytes::from_static(b"3"), &Declaration::default());
        assert_eq!((plugin, stream.get(b"x")), (Err(StateRefusal::Conflict), Some(text("2"))));
        assert_eq!(stream.set(b"x", text("4"), true, LifeSpan::FilterChain), Ok(()));
        assert_eq!(stream.set_property(b"x", Bytes::from_static(b"5"), &Declaration::default()), Ok(()));
        let once = declared(true, LifeSpan::FilterChain);
        stream.set_property(b"z", Bytes::from_static(b"1"), &once).unwrap();
        assert_eq!(stream.set_property(b"z", Bytes::new(), &once), Err(StateRefusal::Conflict));
    }
}
