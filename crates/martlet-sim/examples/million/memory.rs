//! How much memory is in use: by counting every allocation, and as the kernel sees it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tikv_jemallocator::Jemalloc;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// jemalloc, with its size classes counted. One thread allocates here, so that plain loads and
/// stores are enough.
pub struct Counting;

// SAFETY: everything is left to jemalloc; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.store(IN_USE.load(Relaxed).wrapping_add(class(layout.size())), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.store(IN_USE.load(Relaxed).wrapping_sub(class(layout.size())), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let change = class(size).wrapping_sub(class(layout.size()));
        IN_USE.store(IN_USE.load(Relaxed).wrapping_add(change), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { Jemalloc.realloc(at, layout, size) }
    }
}

/// What jemalloc takes for an allocation: four sizes between a power of two and the next.
fn class(size: usize) -> usize {
    let step = match size {
        0..=8 => 8,
        9..=128 => 16,
        _ => (usize::MAX.wrapping_shr((size - 1).leading_zeros()) / 2 + 1) / 4,
    };
    size.next_multiple_of(step)
}

/// The bytes in use.
pub fn in_use() -> usize {
    IN_USE.load(Relaxed)
}

/// Lets something go, and says how many bytes that gave back.
pub fn freed<T>(thing: T) -> usize {
    let before = in_use();
    drop(thing);
    before - in_use()
}

/// The bytes of memory that the kernel counts for this process, files not among them.
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}
