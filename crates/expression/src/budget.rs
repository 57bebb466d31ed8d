//! How much one evaluation may take.

use std::cell::Cell;

use crate::EvaluateError;

/// Rounds of all folds together (observed in Envoy 1.40).
const ROUNDS: u32 = 10_000;

/// Nodes that may be visited: some tens of milliseconds. Envoy has no such limit.
const STEPS: u32 = 1_000_000;

/// Bytes that may be made. Envoy has no such limit.
const BYTES: usize = 16 << 20;

/// What is left of an evaluation.
#[derive(Debug)]
pub(crate) struct Budget {
    rounds: Cell<u32>,
    steps: Cell<u32>,
    bytes: Cell<usize>,
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new() -> Self {
        Self { rounds: Cell::new(ROUNDS), steps: Cell::new(STEPS), bytes: Cell::new(BYTES) }
    }

    pub(crate) fn round(&self) -> Result<(), EvaluateError> {
        self.rounds.set(self.rounds.get().checked_sub(1).ok_or(EvaluateError::TooLong)?);
        Ok(())
    }

    pub(crate) fn steps(&self, count: u32) -> Result<(), EvaluateError> {
        match self.steps.get().checked_sub(count) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => {
                self.steps.set(0);
                Err(EvaluateError::TooLong)
            }
        }
    }

    pub(crate) fn bytes(&self, count: usize) -> Result<(), EvaluateError> {
        self.bytes.set(self.bytes.get().checked_sub(count).ok_or(EvaluateError::TooLong)?);
        Ok(())
    }
}
