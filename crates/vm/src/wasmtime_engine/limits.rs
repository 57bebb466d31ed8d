//! What one instance may allocate.

use wasmtime::{Error, ResourceLimiter, Result};

use crate::{Grown, Limits};

/// Memories and tables are address space and bookkeeping even when empty. Real modules have one of each.
const MAX_MEMORIES: usize = 4;
const MAX_TABLES: usize = 64;

/// Counts the linear memory and the table elements of one instance.
///
/// Not counted: the host's own state, compiled code (shared by all instances), and the stack.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: Budget,
    table: Budget,
    /// What was refused since somebody last looked.
    pub(super) refused: Option<Grown>,
}

#[derive(Debug)]
struct Budget {
    limit: usize,
    used: usize,
    /// To go back to if the engine cannot grow after all.
    before: usize,
}

// === impl Limiter ===

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory: Budget::new(limits.memory_bytes), table: Budget::new(limits.table_elements), refused: None }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let may = self.memory.grow(current, desired);
        self.refused = if may { self.refused } else { Some(Grown::Memory) };
        Ok(may)
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<()> {
        self.memory.used = self.memory.before;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let may = self.table.grow(current, desired);
        self.refused = if may { self.refused } else { Some(Grown::Tables) };
        Ok(may)
    }

    fn table_grow_failed(&mut self, _: Error) -> Result<()> {
        self.table.used = self.table.before;
        Ok(())
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

// === impl Budget ===

impl Budget {
    const fn new(limit: usize) -> Self {
        Self { limit, used: 0, before: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_sub(current).saturating_add(desired);
        if used > self.limit {
            return false;
        }
        self.before = self.used;
        self.used = used;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_limit() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        let mut grow = |current, desired| limiter.memory_growing(current, desired, None).unwrap_or(false);
        assert!(grow(0, 60));
        assert!(grow(0, 40));
        assert!(!grow(60, 61));
        assert!(!grow(0, usize::MAX));
    }

    #[test]
    fn what_could_not_grow_is_given_back() {
        let mut limiter = Limiter::new(&Limits { memory_bytes: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 90, None).is_ok_and(|allowed| allowed));
        assert!(limiter.memory_grow_failed(Error::msg("no address space")).is_ok());
        assert!(limiter.memory_growing(0, 100, None).is_ok_and(|allowed| allowed));
    }
}
