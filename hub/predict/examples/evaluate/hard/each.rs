//! The same for each of many units, in threads.

use std::ops::Range;

/// Does one after the other, in so many threads, and gives all in order.
pub fn each<T: Send>(numbers: Range<u64>, threads: u64, act: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let of_thread = |thread: u64| {
        let own = numbers.clone().filter(move |number| number % threads == thread);
        own.map(|number| (number, act(number))).collect::<Vec<_>>()
    };
    let mut all: Vec<(u64, T)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn({
                    let of_thread = &of_thread;
                    move || of_thread(thread)
                })
            })
            .collect();
        let joined = handles.into_iter().map(|handle| handle.join());
        joined
            .flat_map(|of| of.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, one)| one).collect()
}
