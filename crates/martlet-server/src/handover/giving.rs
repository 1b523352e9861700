//! The node's side: it gives everything it has to its successor, or goes on.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bytes::Bytes;
use martlet_core::hub::LaneId;
use tokio::sync::mpsc;

use super::gate::Gate;
use super::heritage::{Asked, Heritage, Taken, Told};
use super::line::{Broken, Line, Patience, Word};
use super::listeners::Listeners;
use crate::mail::{Mail, Mailboxes};
use crate::revoked::Revoked;

/// How many pieces wait to be sent.
const PIECES: usize = 4;

/// Why there is no successor.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It did not read its configuration, or found it wrong.
    #[error("it did not start: {0}")]
    Unstarted(Broken),
    /// It did not take what it was given, or did not serve with it.
    #[error("it started, and did not take over: {0}")]
    Untaken(Broken),
}

impl NotTaken {
    /// Whether the process at the other end has hung up, most likely because it has ended.
    pub fn gone(&self) -> bool {
        let (Self::Unstarted(why) | Self::Untaken(why)) = self;
        matches!(why, Broken::Gone)
    }
}

/// What a node can give to its successor. Cloned from the node, so that giving has a thread of
/// its own.
pub struct Giver {
    pub(crate) listeners: Listeners,
    pub(crate) gate: Gate,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) seed: u64,
    pub(crate) secret: Bytes,
    pub(crate) revoked: Arc<Revoked>,
    /// Whether histories are in this process.
    pub(crate) memory: bool,
}

impl Giver {
    /// What a node has to give: its sockets, the gate before them, and its workers; what
    /// it began with; and what is in its memory.
    pub(crate) fn new(
        (listeners, gate, mailboxes): (Listeners, Gate, Mailboxes),
        heritage: &Heritage,
        revoked: Arc<Revoked>,
        memory: bool,
    ) -> Self {
        let (seed, secret) = (heritage.seed, heritage.secret.clone());
        Self { listeners, gate, mailboxes, seed, secret, revoked, memory }
    }

    /// The same once more.
    pub(crate) fn share(&self) -> io::Result<Self> {
        Ok(Self {
            listeners: self.listeners.share()?,
            gate: self.gate.clone(),
            mailboxes: self.mailboxes.clone(),
            secret: self.secret.clone(),
            revoked: Arc::clone(&self.revoked),
            ..*self
        })
    }

    /// Gives everything to the process at the other end. Blocks until that one serves, on a thread
    /// of a runtime that is there to block. If it fails, end that process, and then [`resume`](Self::resume).
    pub fn give(&self, stream: UnixStream, patience: Patience) -> Result<(), NotTaken> {
        let mut line = Line::new(stream);
        let asked = self.give_sockets(&mut line, patience).map_err(NotTaken::Unstarted)?;
        self.give_rest(&mut line, patience, &asked).map_err(NotTaken::Untaken)?;
        self.settle(true);
        Ok(())
    }

    /// There is no successor: the node accepts and publishes as before.
    pub fn resume(&self) {
        self.settle(false);
        self.gate.open();
    }

    fn give_sockets(&self, line: &mut Line, patience: Patience) -> Result<Asked, Broken> {
        let all = self.listeners.all();
        line.send(all.iter().map(|listening| &listening.socket), patience.step)?;
        let asked: Vec<_> = all.iter().map(|listening| listening.asked).collect();
        line.say(Word::Sockets, &json(&asked)?, patience.step)?;
        let asked = line.expect(Word::Ask, patience.start)?;
        serde_json::from_slice(&asked).map_err(Broken::nonsense)
    }

    fn give_rest(&self, line: &mut Line, patience: Patience, asked: &Asked) -> Result<(), Broken> {
        // Whoever comes now waits for the successor.
        self.gate.close(patience.step)?;
        let workers = if self.memory && asked.memory { self.mailboxes.workers() } else { 0 };
        let told = Told { seed: self.seed, secret: self.secret.to_vec(), workers };
        line.say(Word::Begin, &json(&told)?, patience.step)?;
        for worker in 0..workers {
            self.give_pieces(line, patience, LaneId(worker as u16))?;
        }
        let taken: Vec<_> = self.revoked.all().iter().map(Taken::of).collect();
        line.say(Word::End, &json(&taken)?, patience.step)?;
        line.expect(Word::Ready, patience.step)?;
        line.say(Word::Go, &[], patience.step)?;
        line.expect(Word::Serving, patience.step)?;
        Ok(())
    }

    /// Gives what a worker keeps. A worker that fails says no end, and the successor notices.
    fn give_pieces(
        &self,
        line: &mut Line,
        patience: Patience,
        worker: LaneId,
    ) -> Result<(), Broken> {
        let (pieces, mut given) = mpsc::channel(PIECES);
        let sent = self.mailboxes.send(worker, vec![Mail::HandOver(pieces)]);
        sent.map_err(|_| Broken::System(io::Error::other("a worker is gone")))?;
        while let Some(piece) = given.blocking_recv() {
            line.say(Word::Piece, &piece, patience.step)?;
        }
        Ok(())
    }

    fn settle(&self, served: bool) {
        for worker in 0..self.mailboxes.workers() {
            // A worker that is gone has nothing that waits.
            let letter = vec![Mail::HandedOver(served)];
            let _ = self.mailboxes.send(LaneId(worker as u16), letter);
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Broken> {
    serde_json::to_vec(value).map_err(|error| Broken::System(error.into()))
}
