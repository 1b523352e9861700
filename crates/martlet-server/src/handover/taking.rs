//! The successor's side: it takes everything, and serves only when it has it.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use martlet_engine::memory::Arrival;

use super::heritage::{Asked, Heritage, Taken, Told, in_memory};
use super::line::{Broken, Line, Patience, Word};
use super::listeners::Listening;
use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::memory_stores;

/// A successor's end of the line.
#[derive(Debug)]
pub struct Taker {
    line: Line,
    patience: Patience,
}

impl Taker {
    /// The end of the line over this stream.
    pub fn new(stream: UnixStream, patience: Patience) -> Self {
        Self { line: Line::new(stream), patience }
    }

    /// Takes the sockets.
    pub(super) fn sockets(&mut self) -> Result<Vec<Listening>, Broken> {
        let sockets = self.line.receive(self.patience.step)?;
        let asked = self.line.expect(Word::Sockets, self.patience.step)?;
        let asked: Vec<Option<SocketAddr>> =
            serde_json::from_slice(&asked).map_err(Broken::nonsense)?;
        if asked.len() != sockets.len() {
            return Err(Broken::nonsense("sockets are missing"));
        }
        let listening = sockets.into_iter().zip(asked);
        Ok(listening.map(|(socket, asked)| Listening { socket, asked }).collect())
    }

    /// Asks for everything else, and takes it.
    pub(super) fn ask(&mut self, settings: &Settings) -> Result<Heritage, Broken> {
        let asked = Asked { memory: in_memory(settings) };
        let asked = serde_json::to_vec(&asked).map_err(Broken::nonsense)?;
        self.line.say(Word::Ask, &asked, self.patience.step)?;
        let told = self.line.expect(Word::Begin, self.patience.step)?;
        let told: Told = serde_json::from_slice(&told).map_err(Broken::nonsense)?;
        let clock = Clock::begin();
        let stores = memory_stores(settings, clock.now(), told.seed);
        let mut arrival = Arrival::new(stores, told.workers);
        let taken = loop {
            match self.line.hear(self.patience.step)? {
                (Word::Piece, piece) => {
                    let piece = piece.into();
                    arrival.handle_piece(clock.now(), piece).map_err(Broken::nonsense)?;
                }
                (Word::End, taken) => break taken,
                (word, _) => return Err(Broken::nonsense(format!("{word:?} between pieces"))),
            }
        };
        let taken: Vec<Taken> = serde_json::from_slice(&taken).map_err(Broken::nonsense)?;
        let revoked = taken.iter().filter_map(Taken::whom).collect();
        let stores = arrival.finish().map_err(Broken::nonsense)?;
        Ok(Heritage { clock, seed: told.seed, secret: told.secret.into(), stores, revoked })
    }

    /// Says that everything is there, and waits until the node before lets go: it says so, or has
    /// ended, after which nobody else has what is here.
    pub fn ready(&mut self) -> Result<(), Broken> {
        let said = self.line.say(Word::Ready, &[], self.patience.step);
        match said.and_then(|()| self.line.expect(Word::Go, self.patience.step)) {
            Ok(_) | Err(Broken::Gone) => Ok(()),
            Err(broken) => Err(broken),
        }
    }

    /// Says that it serves.
    pub fn serving(mut self) {
        // The node before may have ended meanwhile: then it needs not be told.
        let _ = self.line.say(Word::Serving, &[], self.patience.step);
    }
}
