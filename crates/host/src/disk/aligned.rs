//! Memory for direct reads and writes: begins at a page, and is used again.
//!
//! In: how many bytes. Out: a buffer whose bytes start at a multiple of 4096, as devices demand that are written past the
//! cache. A pool hands the same buffers out over and over, so that a long copy takes memory once.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// What direct access demands of addresses, offsets and lengths: the longest sector there is.
pub(super) const ALIGNMENT: usize = 4096;

/// Bytes at an aligned address.
#[derive(Debug)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
    pool: Option<Pool>,
}

impl Buffer {
    /// So many zeroes.
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, start, length, pool: None }
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            let memory = std::mem::take(&mut self.memory);
            pool.lock().push((memory, self.start));
        }
    }
}

/// Memory that is free, and where in it a page begins.
type Free = Vec<(Vec<u8>, usize)>;

/// Buffers of one length that are free.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    free: Arc<Mutex<Free>>,
    length: usize,
}

impl Pool {
    /// None yet.
    pub fn new(length: usize) -> Self {
        Self { free: Arc::default(), length }
    }

    /// One with whatever was in it.
    pub fn take(&self) -> Buffer {
        let free = self.lock().pop();
        let mut buffer = match free {
            Some((memory, start)) => Buffer { memory, start, length: self.length, pool: None },
            None => Buffer::new(self.length),
        };
        buffer.pool = Some(self.clone());
        buffer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_come_back() {
        let pool = Pool::new(8192);
        let mut first = pool.take();
        first[0] = 7;
        assert_eq!((first.len(), first.as_ptr().align_offset(ALIGNMENT)), (8192, 0));
        let second = pool.take();
        drop((first, second));
        assert_eq!(pool.lock().len(), 2);
        let _ = (pool.take(), pool.take());
        assert_eq!(pool.lock().len(), 2, "none is made while one is free");
    }
}
