//! The judgement over a test: what was accepted was delivered once to everybody in one order, or
//! is in a gap that was told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use martlet_client::Position;

use super::counter::Accepted;
use super::notes::{Notes, Told};

/// What there is to judge.
pub struct Case<'a> {
    /// What was done to the servers.
    pub title: &'a str,
    pub accepted: &'a [Accepted],
    pub readers: &'a [Arc<Notes>],
}

/// What came of it.
#[derive(Debug)]
pub struct Verdict {
    /// Accepted publications that a reader did not get, at most, all of them in its gaps.
    pub in_gaps: usize,
    /// Publications that were not the accepted one of their number, at most at one reader: the
    /// publisher was not told of them and published again, and the store had forgotten the key.
    pub unanswered: usize,
    /// How many gaps were told, at least to one.
    pub gaps: usize,
    /// The readers that were told at least once that they lagged.
    pub lagged: usize,
}

/// What one reader's notes come to.
#[derive(Debug, Default)]
struct Reading {
    delivered: usize,
    in_gaps: usize,
    unanswered: usize,
    gaps: usize,
}

impl Case<'_> {
    /// Judges, says the counts in one line, and fails with the first that is wrong.
    pub fn judge(&self) -> Verdict {
        assert!(!self.accepted.is_empty() && !self.readers.is_empty(), "{}", self.title);
        self.accepted_once();
        self.one_order();
        let readings: Vec<_> = self.readers.iter().map(|notes| self.read(notes)).collect();
        let most = |count: fn(&Reading) -> usize| readings.iter().map(count).max().unwrap_or(0);
        let least = |count: fn(&Reading) -> usize| readings.iter().map(count).min().unwrap_or(0);
        let verdict = Verdict {
            in_gaps: most(|r| r.in_gaps),
            unanswered: most(|r| r.unanswered),
            gaps: least(|r| r.gaps),
            lagged: self.readers.iter().filter(|notes| notes.times_lagged() > 0).count(),
        };
        self.say(&verdict, least(|r| r.delivered), most(|r| r.delivered));
        verdict
    }

    fn say(&self, verdict: &Verdict, least: usize, most: usize) {
        let delivered = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let retried = self.accepted.iter().filter(|accepted| accepted.tries > 1).count();
        let moves: usize = self.readers.iter().map(|notes| notes.moves()).sum();
        eprintln!(
            "{}: {} accepted ({retried} after a retry), {delivered} delivered to each of {}, \
             {} in gaps, 0 twice, {} came unanswered; {} told lagged, {moves} connections anew",
            self.title,
            self.accepted.len(),
            self.readers.len(),
            verdict.in_gaps,
            verdict.unanswered,
            verdict.lagged,
        );
    }

    /// No two publications have one place or one id, and each publisher's are in its order.
    fn accepted_once(&self) {
        let mut places = HashMap::new();
        let mut ids = HashMap::new();
        for accepted in self.accepted {
            let Accepted { number, position, ref id, .. } = *accepted;
            for before in [places.insert(position, number), ids.insert(id, number)] {
                assert_eq!(before, None, "{}: {accepted:?} was {before:?}", self.title);
            }
        }
    }

    /// Whoever sees a place sees the same publication there.
    fn one_order(&self) {
        let mut at: HashMap<Position, (u64, String)> = HashMap::new();
        for notes in self.readers {
            for told in notes.told() {
                let Told::Publication { number, position, id } = told else { continue };
                let is = (number, id);
                let was = at.entry(position).or_insert_with(|| is.clone());
                assert_eq!(*was, is, "{}: {} at {position:?}", self.title, notes.name);
            }
        }
    }

    fn read(&self, notes: &Notes) -> Reading {
        let who = format!("{}: {}", self.title, notes.name);
        let (jumps, seen) = walk(&who, notes);
        let mut reading = Reading { gaps: jumps.len(), ..Reading::default() };
        let numbers: BTreeMap<u64, &Accepted> =
            self.accepted.iter().map(|accepted| (accepted.number, accepted)).collect();
        for accepted in self.accepted {
            let times = seen.iter().filter(|(_, id)| *id == accepted.id).count();
            let covered =
                jumps.iter().any(|(before, after)| inside(accepted.position, *before, *after));
            assert!(times <= 1, "{who}: {accepted:?} came {times} times");
            assert!(times == 1 || covered, "{who}: {accepted:?} did not come; gaps {jumps:?}");
            reading.delivered += times;
            reading.in_gaps += 1 - times;
        }
        for (number, id) in &seen {
            let accepted = numbers.get(number).map(|accepted| &accepted.id);
            reading.unanswered += usize::from(accepted != Some(id));
        }
        reading
    }
}

/// A jump over a gap: from where to where.
type Jump = (Position, Position);

/// Goes the way of one reader: each publication is the next, or is after a gap that was told.
fn walk(who: &str, notes: &Notes) -> (Vec<Jump>, Vec<(u64, String)>) {
    let mut place = notes.began().unwrap_or_else(|| panic!("{who}: it never began"));
    let (mut jumps, mut seen) = (Vec::new(), Vec::new());
    for told in notes.told() {
        match told {
            Told::Publication { number, position, id } => {
                let next = Position { offset: place.offset + 1, ..place };
                assert_eq!(position, next, "{who}: number {number} after {place:?}");
                place = position;
                seen.push((number, id));
            }
            Told::Gap { from, resume, reason } => {
                assert_eq!(from, place.offset + 1, "{who}: {reason} to {resume:?} at {place:?}");
                jumps.push((place, resume));
                place = resume;
            }
        }
    }
    (jumps, seen)
}

/// Whether a gap names a place: after what was seen before it, or before what comes after it.
fn inside(position: Position, before: Position, after: Position) -> bool {
    let behind = position.epoch == before.epoch && position.offset > before.offset;
    let ahead = position.epoch == after.epoch && position.offset <= after.offset;
    match before.epoch == after.epoch {
        true => behind && ahead,
        false => behind || ahead,
    }
}
