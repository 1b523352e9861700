//! When to try again after a connection is lost or could not be made, and the one place that lets
//! a try begin. It knows no clock and no randomness; the TypeScript client has the same machine
//! (`session/comeback.ts`), and `vectors/comeback.txt` holds both to the same answers.
//!
//! What the server advises is obeyed as it stands. Without advice, those who lost a connection that
//! lived may have lost it in one moment with everybody else (a server was killed), so their first
//! wait is spread evenly from nothing to six times the shortest; whoever fails to connect backs
//! off. And however odd a server behaves, or an application: each try takes a token from a bucket
//! of two, into which one comes back every second, so that a loop without delay cannot be.
//!
//! It can be used by itself, as in a simulation of many clients: [`Retry::permit`] before each try,
//! then [`Retry::handle_connected`] if it succeeds, and [`Retry::handle_lost`] when it has failed or
//! the connection has ended.

use std::time::Duration;

use martlet_core::model::{Close, Code, Refusal};
use martlet_core::time::{Backoff, Instant, Now};

#[cfg(test)]
mod tests;

/// What the other side advised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: back off.
    None,
    /// Come back after this time; zero is at once.
    After(Duration),
    /// Do not come back.
    Never,
}

impl Advice {
    /// What a close says. A close that concerns one connection alone, which has nobody to make
    /// room for, needs no wait.
    pub fn of_close(close: &Close) -> Self {
        let alone = matches!(close.code, Code::Replaced | Code::Aged | Code::StreamFull);
        match (close.reconnect(), close.after) {
            (false, _) => Self::Never,
            (true, Some(after)) => Self::After(after),
            (true, None) if alone => Self::After(Duration::ZERO),
            (true, None) => Self::None,
        }
    }

    /// What the close code of a WebSocket says, where it is all there is. Those below 3000 are
    /// WebSocket's own, such as 1001 for a server that goes away and 1013 for one that is busy,
    /// whatever the same numbers mean as refusals; of the others a newer server may have more.
    pub fn of_close_code(number: u16) -> Self {
        match (number, Code::from_number(number)) {
            (3000.., Some(code)) => Self::of_close(&code.into()),
            (3500..=3999, None) => Self::Never,
            _ => Self::None,
        }
    }

    /// What a refused `connect` says.
    pub fn of_refusal(refusal: &Refusal) -> Self {
        match (refusal.code.temporary(), refusal.after) {
            (false, _) => Self::Never,
            (true, Some(after)) => Self::After(after),
            (true, None) => Self::None,
        }
    }
}

/// Permission for one try to connect. Only [`Retry`] has it to give, and it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permission that is not used is a try that is not made"]
pub struct Permit(());

/// A connection that lived this long was a success, and the waits begin anew.
const STEADY: Duration = Duration::from_secs(5);

/// The first wait is up to so many times the shortest: 1.5 s. Half of all wait less than 0.75 s.
const FIRST: u32 = 6;

/// A token comes back in so many times the shortest wait: each second.
const PACE: u32 = 4;

/// Tokens at most: one for a try, one for a server that sends it on at once.
const TOKENS: u32 = 2;

/// The shortest wait there is.
const MOMENT: Duration = Duration::from_millis(1);

/// The waits of one client, and its tries.
#[derive(Debug, Clone)]
pub struct Retry {
    backoff: Backoff,
    first: Duration,
    pace: Duration,
    connected_at: Option<Instant>,
    /// When the bucket will be full again.
    full: Instant,
}

impl Retry {
    /// A client's, whose waits lie between `min` and `max` unless the server advises others.
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(MOMENT);
        Self {
            backoff: Backoff::new(min, max),
            first: min.saturating_mul(FIRST).min(max.max(min)),
            pace: min.saturating_mul(PACE),
            connected_at: None,
            full: Instant::default(),
        }
    }

    /// Permission for one try, which is to be made now; or how long there will be none.
    pub fn permit(&mut self, now: Now) -> Result<Permit, Duration> {
        let soonest = self.soonest(now);
        if !soonest.is_zero() {
            return Err(soonest);
        }
        self.full = self.full.max(now.instant).after(self.pace);
        Ok(Permit(()))
    }

    /// How long there will be no permission.
    pub fn soonest(&self, now: Now) -> Duration {
        self.full.since(now.instant).saturating_sub(self.pace.saturating_mul(TOKENS - 1))
    }

    /// The server let the client in.
    pub fn handle_connected(&mut self, now: Now) {
        self.connected_at = Some(now.instant);
    }

    /// How long to wait after a loss, or after a try that failed; `None` to stay away. `random` is
    /// any 64 random bits.
    pub fn handle_lost(&mut self, now: Now, advice: Advice, random: u64) -> Option<Duration> {
        let lived = self.connected_at.take().map(|at| now.instant.since(at));
        if lived.is_some_and(|lived| lived >= STEADY) {
            self.backoff.reset();
        }
        let soonest = self.soonest(now);
        let wait = match advice {
            Advice::Never => return None,
            Advice::After(after) if !after.is_zero() || soonest.is_zero() => after,
            // To come back at once again and again is no advice to follow.
            Advice::After(_) | Advice::None => self.unadvised(lived, random),
        };
        Some(wait.max(soonest))
    }

    /// A server that lets everybody in and drops them is left more and more in peace.
    fn unadvised(&mut self, lived: Option<Duration>, random: u64) -> Duration {
        let Some(lived) = lived else { return self.backoff.next(random) };
        let share = random as f64 / u64::MAX as f64;
        let spread = MOMENT + (self.first - MOMENT).mul_f64(share);
        if lived >= STEADY { spread } else { spread.max(self.backoff.next(random)) }
    }
}
