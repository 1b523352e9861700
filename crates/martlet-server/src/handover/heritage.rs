//! What a node begins with, and what of it comes from the node before.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{ClientId, UnixMillis, UserId};
use martlet_engine::memory::MemoryStore;
use serde::{Deserialize, Serialize};

use super::{Listeners, Taker};
use crate::clock::Clock;
use crate::config::{EngineAddress, Settings};
use crate::engine::memory_stores;
use crate::mail::Whom;
use crate::node::StartError;
use crate::random;
use crate::revoked::Revoked;

/// What a node begins with beside its settings.
pub struct Beginning {
    pub(crate) listeners: Listeners,
    pub(crate) heritage: Heritage,
    /// Whether it accepts at once.
    pub(crate) open: bool,
}

impl Beginning {
    /// A node without one before it.
    pub fn anew(listeners: Listeners) -> Self {
        Self { listeners, heritage: Heritage::none(), open: true }
    }

    /// A node that takes the place of another. It accepts when it is opened.
    pub fn take(taker: &mut Taker, settings: &Settings) -> Result<Self, StartError> {
        let listeners = Listeners::left(taker.sockets()?, settings)?;
        let heritage = taker.ask(settings)?;
        Ok(Self { listeners, heritage, open: false })
    }
}

/// What a node has of its own, or of the node before.
pub struct Heritage {
    pub(crate) clock: Clock,
    /// Decides which worker owns which channel, and with which epoch a channel begins.
    pub(crate) seed: u64,
    /// Signs grants where no secret is configured.
    pub(crate) secret: Bytes,
    /// The histories, for each worker; none if there is nothing to begin with.
    pub(crate) stores: Vec<MemoryStore>,
    pub(crate) revoked: Vec<(Whom, UnixMillis)>,
}

impl Heritage {
    fn none() -> Self {
        Self {
            clock: Clock::begin(),
            seed: random::bits(),
            secret: Bytes::copy_from_slice(&random::bytes::<32>()),
            stores: Vec::new(),
            revoked: Vec::new(),
        }
    }

    /// A store for each worker, where histories are kept in memory.
    pub(crate) fn take_stores(&mut self, settings: &Settings) -> Vec<MemoryStore> {
        match std::mem::take(&mut self.stores) {
            none if none.is_empty() => memory_stores(settings, self.clock.now(), self.seed),
            stores => stores,
        }
    }

    /// Whose grants were taken back.
    pub(crate) fn revoked(&self, lifetime: Duration) -> Revoked {
        let revoked = Revoked::new(lifetime);
        self.revoked.iter().for_each(|(whom, at)| revoked.revoke(whom.clone(), *at));
        revoked
    }
}

/// Whether histories are kept in memory.
pub(crate) fn in_memory(settings: &Settings) -> bool {
    matches!(settings.engine, EngineAddress::Memory)
}

/// What a successor says of itself when it asks. Versions may say less or more.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Whether it keeps histories in memory.
    pub memory: bool,
}

/// What a successor is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub seed: u64,
    pub secret: Vec<u8>,
    /// Of how many workers pieces are coming.
    pub workers: usize,
}

/// Somebody whose grants were taken back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    user: Option<String>,
    client: Option<String>,
    since: u64,
}

impl Taken {
    pub fn of((whom, since): &(Whom, UnixMillis)) -> Self {
        let user = match whom {
            Whom::User(user) => Some(user.as_str().to_owned()),
            _ => None,
        };
        let client = match whom {
            Whom::Client(client) => Some(client.to_string()),
            _ => None,
        };
        Self { user, client, since: since.0 }
    }

    pub fn whom(&self) -> Option<(Whom, UnixMillis)> {
        let user = self.user.as_deref().and_then(UserId::parse).map(Whom::User);
        let client = || self.client.as_deref().and_then(ClientId::parse).map(Whom::Client);
        Some((user.or_else(client)?, UnixMillis(self.since)))
    }
}
