//! The same work on many machines, so many at a time.
//!
//! In: a list, a limit, and work that waits for others most of the time. Out: the answers in the list's order.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `work` on each of `items`, at most `limit` of them at the same time.
///
/// # Panics
/// If `work` does.
pub fn each<T: Sync, R: Send>(limit: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..limit.max(1).min(items.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { break };
                    let answer = work(item);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((number, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn order_is_kept_and_the_limit_too() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items: Vec<usize> = (0..20).collect();
        let both = Barrier::new(2);
        let answers = each(3, &items, |item| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // One alone never gets past the first.
            if *item < 2 {
                both.wait();
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
            now.fetch_sub(1, Ordering::SeqCst);
            item * 2
        });
        assert!(answers.into_iter().eq((0..20).map(|item| item * 2)));
        assert!((2..=3).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(each(0, &[1], |item| *item), [1]);
    }
}
