//! When a client comes back that has lost its connection: martlet's own, and what the clients of
//! other servers do as they come. Those hear no advice: they have no word for it.

use std::time::Duration;

use fastrand::Rng;
use martlet_core::time::Instant;
use serde::Serialize;

mod ours;
#[cfg(test)]
mod tests;

pub use ours::Ours;

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The server said that it closes, and perhaps when to come back.
    Told(Option<Duration>),
    /// The connection broke, or could not be made.
    Cut,
}

/// Whose clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clients {
    /// Martlet's: they come back when they are told to, and spread themselves otherwise
    Martlet,
    /// At once, again and again
    Restless,
    /// At once, and then every second
    Naive,
    /// A browser's `EventSource`: every 3 seconds
    #[value(name = "eventsource")]
    EventSource,
    /// socket.io-client: 1 s, doubled up to 5 s, and up to half of it more or less
    #[value(name = "socketio")]
    SocketIo,
    /// pusher-js: at once if the server said that it closes (4200), and else after a second
    Pusher,
    /// phoenix.js: 10, 50, 100, 150, 200, 250, 500 ms, 1, 2 and then every 5 s
    Phoenix,
    /// @microsoft/signalr: 0, 2, 10 and 30 s; then it gives up
    #[value(name = "signalr")]
    SignalR,
    /// @anycable/core: 3 to 6 s, doubled each time, and up to half of it more or less
    #[value(name = "anycable")]
    AnyCable,
    /// centrifuge-js: half a second, and up to as much more, which is doubled up to 20 s
    Centrifuge,
}

impl Clients {
    /// All but martlet's.
    pub const OTHERS: [Self; 9] = [
        Self::Restless,
        Self::Naive,
        Self::EventSource,
        Self::SocketIo,
        Self::Pusher,
        Self::Phoenix,
        Self::SignalR,
        Self::AnyCable,
        Self::Centrifuge,
    ];

    /// What the report calls them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Martlet => "martlet",
            Self::Restless => "at once, always",
            Self::Naive => "at once, then 1 s",
            Self::EventSource => "EventSource",
            Self::SocketIo => "socket.io-client",
            Self::Pusher => "pusher-js",
            Self::Phoenix => "phoenix.js",
            Self::SignalR => "@microsoft/signalr",
            Self::AnyCable => "@anycable/core",
            Self::Centrifuge => "centrifuge-js",
        }
    }

    /// The waits of one of them.
    pub fn policy(self, seed: u64) -> Policy {
        match self {
            Self::Martlet => Policy::Ours(Ours::new(seed)),
            others => Policy::Others { clients: others, tries: 0, random: Rng::with_seed(seed) },
        }
    }
}

/// The waits of one client.
#[derive(Debug)]
pub enum Policy {
    /// Of a client of martlet.
    Ours(Ours),
    /// Of another.
    Others {
        /// Whose client it is.
        clients: Clients,
        /// How often it has tried since it was connected last.
        tries: u32,
        /// Its own.
        random: Rng,
    },
}

impl Policy {
    /// Whether it may set out now, or how long it may not. Others always may.
    pub fn permit(&mut self, now: Instant) -> Result<(), Duration> {
        match self {
            Self::Ours(ours) => ours.permit(now),
            Self::Others { .. } => Ok(()),
        }
    }

    /// The server let it in.
    pub fn handle_connected(&mut self, now: Instant) {
        match self {
            Self::Ours(ours) => ours.handle_connected(now),
            Self::Others { tries, .. } => *tries = 0,
        }
    }

    /// How long it waits after a loss; `None` if it has given up.
    pub fn handle_lost(&mut self, now: Instant, loss: Loss) -> Option<Duration> {
        match self {
            Self::Ours(ours) => ours.handle_lost(now, loss),
            Self::Others { clients, tries, random } => {
                let wait = wait(*clients, *tries, loss, random);
                *tries += 1;
                wait
            }
        }
    }
}

/// The wait of a client before its try after so many in vain.
fn wait(clients: Clients, tries: u32, loss: Loss, random: &mut Rng) -> Option<Duration> {
    let ms = match clients {
        Clients::Restless | Clients::Martlet => 0.0,
        Clients::Naive => [0.0, 1_000.0][tries.min(1) as usize],
        Clients::EventSource => 3_000.0,
        Clients::SocketIo => {
            let whole = doubled(1_000.0, tries).min(5_000.0);
            (whole * (0.5 + random.f64())).min(5_000.0)
        }
        Clients::Pusher if tries == 0 && matches!(loss, Loss::Told(_)) => 0.0,
        Clients::Pusher => 1_000.0,
        Clients::Phoenix => *PHOENIX.get(tries as usize).unwrap_or(&5_000.0),
        Clients::SignalR => *SIGNALR.get(tries as usize)?,
        Clients::AnyCable => doubled(3_000.0, tries) * (1.0 + random.f64()) * (0.5 + random.f64()),
        Clients::Centrifuge => 500.0 + doubled(500.0, tries).min(20_000.0) * random.f64(),
    };
    Some(Duration::from_micros((ms * 1_000.0) as u64))
}

/// Waits of phoenix.js and of @microsoft/signalr, in milliseconds.
const PHOENIX: [f64; 9] = [10.0, 50.0, 100.0, 150.0, 200.0, 250.0, 500.0, 1_000.0, 2_000.0];
const SIGNALR: [f64; 4] = [0.0, 2_000.0, 10_000.0, 30_000.0];

fn doubled(ms: f64, times: u32) -> f64 {
    ms * f64::from(1u32 << times.min(20))
}
