//! The same work on many things, on all cores.
//!
//! In: a list and a function without effects on its neighbours. Out: the answers in the list's order, so nothing that is
//! written depends on how many cores there were.

use std::num::NonZeroUsize;

/// Fewer items than this are not worth a thread.
const WORTH: usize = 16;

/// `work` on each of `items`; the first error in their order, if there is one.
///
/// # Errors
/// Those of `work`.
///
/// # Panics
/// If `work` does.
pub fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if items.len() < WORTH || threads == 1 {
        return items.iter().map(work).collect();
    }
    let chunk = items.len().div_ceil(threads);
    let work = &work;
    let parts = std::thread::scope(|scope| {
        let start = |part: &'_ [T]| part.iter().map(work).collect::<Result<Vec<R>, E>>();
        let started: Vec<_> = items.chunks(chunk).map(|part| scope.spawn(move || start(part))).collect();
        let ended = started.into_iter().map(|thread| thread.join().expect("the work does not panic"));
        ended.collect::<Result<Vec<_>, E>>()
    })?;
    Ok(parts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_their_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled = each(&items, |item| Ok::<_, ()>(item * 2)).unwrap();
        assert!(doubled.iter().copied().eq((0..1000).map(|item| item * 2)));
        let failing = |item: &u32| if item % 300 == 299 { Err(*item) } else { Ok(()) };
        assert_eq!(each(&items, failing).unwrap_err(), 299);
        assert_eq!(each(&[] as &[u32], failing).unwrap(), []);
    }
}
