//! What one reader was told, in order: publications, gaps, and that it lagged.

use std::sync::{Mutex, MutexGuard};

use martlet_client::{Epoch, Position};
use serde_json::Value;

/// Something that a reader was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A publication of this number.
    Publication { number: u64, position: Position, id: String },
    /// What is after `from - 1` cannot be had; it goes on after `resume`.
    Gap { from: u64, resume: Position, reason: String },
}

#[derive(Debug, Default)]
struct Pages {
    began: Option<Position>,
    told: Vec<Told>,
    lagged: usize,
    moves: usize,
    heard: String,
}

/// The notes of one reader.
#[derive(Debug)]
pub struct Notes {
    pub name: String,
    pages: Mutex<Pages>,
}

impl Notes {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap()
    }

    /// The stream begins, or begins again, after this position.
    pub fn begun(&self, position: Position) {
        self.pages().began.get_or_insert(position);
    }

    pub fn publication(&self, number: u64, position: Position, id: String) {
        self.pages().told.push(Told::Publication { number, position, id });
    }

    pub fn gap(&self, from: u64, resume: Position, reason: &str) {
        self.pages().told.push(Told::Gap { from, resume, reason: reason.to_owned() });
    }

    pub fn lagged(&self) {
        self.pages().lagged += 1;
    }

    /// It came back over another connection.
    pub fn moved(&self) {
        self.pages().moves += 1;
    }

    /// What was answered last, for whoever asks why it does not go on.
    pub fn heard(&self, what: String) {
        self.pages().heard = what;
    }

    pub fn last_heard(&self) -> String {
        self.pages().heard.clone()
    }

    /// What is in an event of the protocol, if it is one of these. A gap before the first place
    /// of a connection comes before the reader knows it, so it counts wherever it is.
    pub fn event(&self, event: &Value) {
        if let Some(publication) = event.get("publication") {
            let number = publication["data"]["n"].as_u64().unwrap_or(0);
            let id = publication["id"].as_str().unwrap_or_default().to_owned();
            self.publication(number, position_of(publication), id);
        } else if let Some(gap) = event.get("gap") {
            let (from, reason) = (gap["from"].as_u64(), gap["reason"].as_str());
            self.gap(from.unwrap_or(0), position_of(gap), reason.unwrap_or_default());
        } else if event.get("lagged").is_some() {
            self.lagged();
        } else if let Some(subscribed) = event.get("subscribed") {
            self.begun(position_of(subscribed));
        }
    }

    pub fn began(&self) -> Option<Position> {
        self.pages().began
    }

    pub fn told(&self) -> Vec<Told> {
        self.pages().told.clone()
    }

    /// How often it was told that it lagged.
    pub fn times_lagged(&self) -> usize {
        self.pages().lagged
    }

    /// Over how many connections it came back.
    pub fn moves(&self) -> usize {
        self.pages().moves
    }

    /// The last position that it knows.
    pub fn place(&self) -> Option<Position> {
        let pages = self.pages();
        let last = pages.told.last().map(|told| match told {
            Told::Publication { position, .. } => *position,
            Told::Gap { resume, .. } => *resume,
        });
        last.or(pages.began)
    }

    /// Whether it has the publication of this number.
    pub fn has(&self, number: u64) -> bool {
        let is = |told: &Told| matches!(told, Told::Publication { number: n, .. } if *n == number);
        self.pages().told.iter().rev().any(is)
    }
}

/// The `epoch` and `offset` of an object.
pub fn position_of(object: &Value) -> Position {
    let epoch = object["epoch"].as_str().and_then(Epoch::parse);
    let epoch = epoch.unwrap_or_else(|| panic!("no epoch: {object}"));
    Position { epoch, offset: object["offset"].as_u64().unwrap() }
}
