//! Where those who come in wait for their turn, so that a worker that thousands come to at once
//! goes on delivering: between two looks at its sockets it begins with a few of them, and does what
//! else there is to do. Who may come in at all, `worker::admission` says, once it is known who comes.

use tokio::sync::{Notify, Semaphore};

/// How many pass in one round. Few, because each may be about to shake hands for TLS, and whoever is
/// delivered to waits for all of them; a round costs little beside that.
const AT_ONCE: usize = 4;

/// A turnstile.
#[derive(Debug)]
pub struct Turnstile {
    places: Semaphore,
    passed: Notify,
}

impl Turnstile {
    /// One at which nobody waits.
    pub fn new() -> Self {
        Self { places: Semaphore::new(AT_ONCE), passed: Notify::new() }
    }

    /// Waits for a turn. Whoever came first has it first.
    pub async fn pass(&self) {
        // It is never closed.
        if let Ok(place) = self.places.acquire().await {
            place.forget();
        }
        self.passed.notify_one();
    }

    /// Begins a round after each in which somebody passed. Never done.
    pub async fn turn(&self) {
        loop {
            self.passed.notified().await;
            // Done when the runtime has looked at its sockets, and behind whoever that woke.
            tokio::task::yield_now().await;
            self.places.add_permits(AT_ONCE.saturating_sub(self.places.available_permits()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// What happens at a turnstile at which `count` come at once, while somebody else has something
    /// to do in each round: `.` for who passes, `|` for the other.
    async fn rounds(count: usize) -> String {
        let (turnstile, seen) = (Rc::new(Turnstile::new()), Rc::new(RefCell::new(String::new())));
        let turning = Rc::clone(&turnstile);
        let turning = tokio::task::spawn_local(async move { turning.turn().await });
        for _ in 0..count {
            let (turnstile, seen) = (Rc::clone(&turnstile), Rc::clone(&seen));
            tokio::task::spawn_local(async move {
                turnstile.pass().await;
                seen.borrow_mut().push('.');
            });
        }
        while seen.borrow().matches('.').count() < count {
            seen.borrow_mut().push('|');
            tokio::task::yield_now().await;
        }
        turning.abort();
        seen.take()
    }

    fn local<F: Future>(future: F) -> F::Output {
        let options = tokio::runtime::LocalOptions::default();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build_local(options).unwrap().block_on(future)
    }

    #[test]
    fn a_few_pass_in_each_round() {
        let seen = local(rounds(103));
        let most = seen.split('|').map(str::len).max().unwrap();
        assert_eq!(most, AT_ONCE, "{seen}");
        assert!(seen.matches('|').count() < 103, "nobody waits for nothing: {seen}");
    }

    #[test]
    fn who_does_not_wait_for_its_turn_keeps_nobody_out() {
        local(async {
            let turnstile = Rc::new(Turnstile::new());
            for _ in 0..AT_ONCE {
                turnstile.pass().await;
            }
            let waiting: Vec<_> = (0..10)
                .map(|_| {
                    let turnstile = Rc::clone(&turnstile);
                    tokio::task::spawn_local(async move { turnstile.pass().await })
                })
                .collect();
            tokio::task::yield_now().await;
            waiting.iter().for_each(|waiting| waiting.abort());
            let turning = Rc::clone(&turnstile);
            tokio::task::spawn_local(async move { turning.turn().await });
            for _ in 0..10 * AT_ONCE {
                turnstile.pass().await;
            }
        });
    }
}
