//! The expressions that a plugin has made.

use std::collections::HashMap;
use std::rc::Rc;

use sandgate_expression::Expression;

/// Expressions by their tokens. The first token is 0.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    living: HashMap<u32, (Rc<Expression>, usize)>,
    next: u32,
    /// Of the texts of all.
    bytes: usize,
}

// === impl Expressions ===

impl Expressions {
    /// Bytes of the texts that live.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an expression whose text has that many bytes.
    pub(crate) fn add(&mut self, expression: Expression, bytes: usize) -> u32 {
        let token = self.skip();
        self.living.insert(token, (Rc::new(expression), bytes));
        self.bytes += bytes;
        token
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
        if let Some((_, bytes)) = self.living.remove(&token) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use sandgate_expression::Environment;

    use super::*;

    #[test]
    fn tokens_are_not_given_twice() {
        let mut all = Expressions::default();
        let add = |all: &mut Expressions| all.add(Expression::parse(b"1", &Environment::plugins()).unwrap(), 1);
        assert_eq!((add(&mut all), add(&mut all)), (0, 1));
        all.remove(0);
        assert_eq!((add(&mut all), all.bytes()), (2, 2));
        all.next = u32::MAX;
        assert_eq!((add(&mut all), add(&mut all), add(&mut all)), (u32::MAX, 0, 3));
        assert!(all.get(4).is_none());
    }
}
