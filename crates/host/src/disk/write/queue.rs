//! What waits for one target: a short line that both ends can close.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WAITING;

/// A line of orders.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    orders: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        let state = State { orders: VecDeque::with_capacity(WAITING), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an order as soon as there is room; gives it back if there was none for `patience`, or the line is closed.
    pub fn push(&self, order: T, patience: Duration) -> Result<(), T> {
        let is_full = |state: &mut State<T>| state.orders.len() >= WAITING && !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, is_full);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed || state.orders.len() >= WAITING {
            return Err(order);
        }
        state.orders.push_back(order);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the next order as soon as there is one; none once the line is closed.
    pub fn pop(&self) -> Option<T> {
        let wait = |state: &mut State<T>| state.orders.is_empty() && !state.is_closed;
        let waited = self.changed.wait_while(self.lock(), wait);
        let order = waited.unwrap_or_else(PoisonError::into_inner).orders.pop_front();
        self.changed.notify_all();
        order
    }

    /// Lets go of everything that waits, and takes nothing more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.orders.clear();
        drop(state);
        self.changed.notify_all();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Whether nothing waits: its target could do more.
    pub fn is_empty(&self) -> bool {
        self.lock().orders.is_empty()
    }
}
