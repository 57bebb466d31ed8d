//! The expressions that a plugin has made.

use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use sandgate_expression::{Environment, Expression};

/// Expressions by their tokens. The first token is 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expressions {
    living: HashMap<u32, (Rc<Expression>, Bytes)>,
    next: u32,
    /// Of the texts of all.
    bytes: usize,
}

/// The same for any thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpressionTexts {
    living: Vec<(u32, Bytes)>,
    next: u32,
}

// === impl Expressions ===

impl Expressions {
    /// Bytes of the texts that live.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an expression, and the text that it was made of.
    pub(crate) fn add(&mut self, expression: Expression, text: &[u8]) -> u32 {
        let token = self.skip();
        self.living.insert(token, (Rc::new(expression), Bytes::copy_from_slice(text)));
        self.bytes += text.len();
        token
    }

    /// What they were made of.
    pub(crate) fn texts(&self) -> ExpressionTexts {
        let living = self.living.iter().map(|(token, (_, text))| (*token, text.clone())).collect();
        ExpressionTexts { living, next: self.next }
    }

    /// Made anew from their texts, under the same tokens.
    pub(crate) fn of(texts: &ExpressionTexts, environment: &Environment) -> Self {
        // What could be read once can be read again.
        let parse = |(token, text): &(u32, Bytes)| {
            Some((*token, (Rc::new(Expression::parse(text, environment).ok()?), text.clone())))
        };
        let bytes = texts.living.iter().map(|(_, text)| text.len()).sum();
        Self { living: texts.living.iter().filter_map(parse).collect(), next: texts.next, bytes }
    }

    /// Takes the next token for nothing.
    pub(crate) fn skip(&mut self) -> u32 {
        while self.living.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let token = self.next;
        self.next = token.wrapping_add(1);
        token
    }

    pub(crate) fn get(&self, token: u32) -> Option<Rc<Expression>> {
        self.living.get(&token).map(|(expression, _)| Rc::clone(expression))
    }

    pub(crate) fn remove(&mut self, token: u32) {
        if let Some((_, text)) = self.living.remove(&token) {
            self.bytes -= text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn tokens_are_not_given_twice() {
        let mut all = Expressions::default();
        let add = |all: &mut Expressions| all.add(Expression::parse(b"1", &Environment::plugins()).unwrap(), b"1");
        assert_eq!((add(&mut all), add(&mut all)), (0, 1));
        all.remove(0);
        assert_eq!((add(&mut all), all.bytes()), (2, 2));
        let again = Expressions::of(&all.texts(), &Environment::plugins());
        assert!(again.get(0).is_none() && again.get(1).is_some() && again.get(2).is_some());
        assert_eq!((add(&mut again.clone()), again.bytes()), (3, 2));
        all.next = u32::MAX;
        assert_eq!((add(&mut all), add(&mut all), add(&mut all)), (u32::MAX, 0, 3));
        assert!(all.get(4).is_none());
    }
}
