//! What is simulated: how large the world is, what goes wrong in it, and whose clients and servers
//! live there.

use std::time::Duration;

use martlet_core::crowd::AdmissionRate;
use martlet_core::time::Instant;
use serde::Serialize;

use super::policy::Clients;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One node lets its clients go and stops
    Drain,
    /// One node is killed: its connections are reset
    Kill,
    /// One node loses its power: its clients find out by their heartbeat
    Vanish,
    /// All nodes are restarted, one after the other
    Rolling,
    /// A node that is alone is restarted
    Restart,
    /// All nodes are killed at once, and come back 10 s later
    Outage,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Drain, Self::Kill, Self::Vanish, Self::Rolling, Self::Restart, Self::Outage];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Kill => "kill",
            Self::Vanish => "vanish",
            Self::Rolling => "rolling",
            Self::Restart => "restart",
            Self::Outage => "outage",
        }
    }
}

/// Whose servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// Martlet: lets go over a time, and lets in at a rate.
    Martlet,
    /// One that closes all connections at once when it stops, and lets everybody in.
    AllAtOnce,
}

impl Server {
    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Martlet => "martlet",
            Self::AllAtOnce => "all at once",
        }
    }
}

/// How the world is, whoever lives in it.
#[derive(Debug, Clone, Serialize)]
pub struct Conditions {
    /// How many sessions there are.
    pub sessions: u32,
    /// How many nodes.
    pub nodes: u32,
    /// How many workers each of them has.
    pub workers: u32,
    /// How long a node lets its clients go.
    pub over: Duration,
    /// How long a node is away that is restarted, or killed and started again.
    pub away: Duration,
    /// Clients a second that a worker of martlet lets in.
    pub admission: u32,
    /// Handshakes that a worker of martlet has under way at once.
    pub handshakes: u32,
    /// A round trip between a client and a node takes between this and that, each client's its own.
    pub round_trip: [Duration; 2],
    /// How long a worker works on one handshake.
    pub work: Duration,
    /// How long a client waits until it has been let in.
    pub patience: Duration,
    /// Without a sign of its server a client gives its connection up between this and that.
    pub silence: [Duration; 2],
    /// Where all random bits come from.
    pub seed: u64,
}

/// Round trips after which a session is opened: those of TCP and TLS. The upgrade to WebSocket is
/// one more, and then the client says who it is.
pub const ROUND_TRIPS: u32 = 2;

/// The shortest time after which clients of a node that is alone are told to come back, and the
/// spread beside what their number adds; as the server has them.
pub const RETURN_MIN: Duration = Duration::from_millis(250);
const RETURN_SPREAD: Duration = Duration::from_secs(1);
const RETURN_PER_SECOND: u32 = 5_000;

/// When it happens. Everybody has been connected for a while then.
pub const BEGIN: Instant = Instant(10_000_000);

/// When the world ends: a herd may keep its servers down for good.
pub const END: Instant = Instant(600_000_000);

/// How long all nodes are away in an outage.
pub const OUTAGE: Duration = Duration::from_secs(10);

/// One thing to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The world.
    pub conditions: Conditions,
    /// What happens there.
    pub scenario: Scenario,
    /// Whose clients.
    pub clients: Clients,
    /// Whose servers.
    pub server: Server,
}

impl Plan {
    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        if self.scenario == Scenario::Restart { 1 } else { self.conditions.nodes }
    }

    /// What a worker lets in.
    pub fn rate(&self) -> AdmissionRate {
        let per_second = match self.server {
            Server::Martlet => self.conditions.admission,
            Server::AllAtOnce => 0,
        };
        AdmissionRate { per_second }
    }

    /// How many may shake hands with a worker at once.
    pub fn handshakes(&self) -> u32 {
        match self.server {
            Server::Martlet if self.conditions.handshakes > 0 => self.conditions.handshakes,
            _ => u32::MAX,
        }
    }

    /// Over which time the clients of a node that is alone are told to come back: as fast as it
    /// lets them in, with a tenth of slack.
    pub fn spread(&self, sessions: u64) -> Duration {
        let rate = match self.conditions.admission {
            0 => RETURN_PER_SECOND,
            rate => rate,
        };
        let each_second = f64::from(rate) * f64::from(self.conditions.workers);
        RETURN_SPREAD + Duration::from_secs_f64(1.1 * sessions as f64 / each_second)
    }
}
