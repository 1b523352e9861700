//! How far a node has passed on a followed channel, and what it does when it finds that a
//! publication is missing in between. One tail for each channel and node: a gap is noticed once,
//! not once per subscriber.

use std::sync::Arc;

use crate::model::{Offset, Position, Publication};
use crate::port::Page;

/// The most publications held back while a hole before them is being read from the store. When
/// there are more they are let go, and read from the store too.
const HELD_MAX: usize = 1_024;

/// What the lanes are to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The next publication.
    Pass(Arc<Publication>),
    /// The stream jumps: the next publication is the one after this position.
    Jump(Position),
}

/// What a tail wants after it was told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    Nothing,
    /// The publications after this offset, from the store.
    Read(Offset),
}

/// Where the stream of a followed channel stands on this node.
#[derive(Debug)]
pub struct Tail {
    at: Option<Position>,
    /// Set while a read is under way.
    reading: bool,
    /// Publications that came before those in front of them.
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    publication: Arc<Publication>,
    /// Whether it came while a read was under way, so that the read may not know of it.
    fresh: bool,
}

impl Tail {
    /// A tail that does not know yet where it is; the first page tells it.
    pub fn new() -> Self {
        Self { at: None, reading: false, held: Vec::new() }
    }

    /// The last position passed on.
    pub fn at(&self) -> Option<Position> {
        self.at
    }

    /// A publication came, from the store's answer to this node or from another node.
    pub fn handle_publication(
        &mut self,
        publication: Arc<Publication>,
        out: &mut Vec<Step>,
    ) -> Want {
        let Some(at) = self.at else {
            self.hold(publication);
            return Want::Nothing;
        };
        let position = publication.position;
        if position.epoch == at.epoch && position.offset <= at.offset {
            return Want::Nothing;
        }
        if position.epoch == at.epoch && position.offset == at.offset + 1 && !self.reading {
            self.at = Some(position);
            out.push(Step::Pass(publication));
            return Want::Nothing;
        }
        self.hold(publication);
        self.want(at.offset)
    }

    /// The store told where the channel is, in answer to somebody's question.
    pub fn handle_head(&mut self, page: &Page, out: &mut Vec<Step>) -> Want {
        let head = page.extent.head;
        let Some(at) = self.at else {
            self.at = Some(head);
            return self.release(out);
        };
        if at.epoch == head.epoch && head.offset <= at.offset {
            return Want::Nothing;
        }
        self.want(at.offset)
    }

    /// The store answered a read that this tail wanted.
    pub fn handle_page(&mut self, page: Page, out: &mut Vec<Step>) -> Want {
        self.reading = false;
        let Some(at) = self.at else { return Want::Nothing };
        let extent = page.extent;
        if extent.head.epoch != at.epoch {
            return self.begin_epoch(
                Position { epoch: extent.head.epoch, offset: extent.first - 1 },
                extent.head.offset,
                out,
            );
        }
        for publication in page.publications {
            self.pass(publication, out);
        }
        self.jump_over_lost(extent.head.offset, extent.first, out);
        match self.at {
            Some(at) if at.offset < extent.head.offset && extent.kept => self.want(at.offset),
            _ => self.release(out),
        }
    }

    /// The store could not answer a read; the next publication or question tries again.
    pub fn handle_failure(&mut self) {
        self.reading = false;
    }

    fn begin_epoch(&mut self, start: Position, head: Offset, out: &mut Vec<Step>) -> Want {
        self.at = Some(start);
        out.push(Step::Jump(start));
        if start.offset < head { self.want(start.offset) } else { self.release(out) }
    }

    /// Passes on a publication that the store read, over a hole if there is one.
    fn pass(&mut self, publication: Arc<Publication>, out: &mut Vec<Step>) {
        let Some(at) = self.at else { return };
        let offset = publication.position.offset;
        if offset <= at.offset {
            return;
        }
        if offset > at.offset + 1 {
            out.push(Step::Jump(Position { epoch: at.epoch, offset: offset - 1 }));
        }
        self.at = Some(publication.position);
        out.push(Step::Pass(publication));
    }

    /// Jumps over what neither the store has nor this node holds.
    fn jump_over_lost(&mut self, head: Offset, first: Offset, out: &mut Vec<Step>) {
        let Some(at) = self.at else { return };
        let held = self.held.iter().map(|held| held.publication.position);
        let held = held.filter(|p| p.epoch == at.epoch);
        let held_first = held.map(|p| p.offset).filter(|o| *o > at.offset).min();
        let lost_until = held_first.map_or(head, |o| o - 1).min(first - 1);
        if lost_until > at.offset {
            let jump = Position { epoch: at.epoch, offset: lost_until };
            self.at = Some(jump);
            out.push(Step::Jump(jump));
        }
    }

    /// Passes on what was held back, as far as it goes. What is of another epoch than the store
    /// just told is let go, unless it may be newer than that.
    fn release(&mut self, out: &mut Vec<Step>) -> Want {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|held| held.publication.position.offset);
        let mut want = Want::Nothing;
        for Held { publication, fresh } in held {
            let here = self.at.is_some_and(|at| at.epoch == publication.position.epoch);
            if !here && !fresh {
                continue;
            }
            if let Want::Read(after) = self.handle_publication(publication, out) {
                want = Want::Read(after);
            }
        }
        self.held.iter_mut().for_each(|held| held.fresh = false);
        want
    }

    fn hold(&mut self, publication: Arc<Publication>) {
        if self.held.len() >= HELD_MAX {
            self.held.clear();
        }
        self.held.push(Held { publication, fresh: self.reading || self.at.is_none() });
    }

    fn want(&mut self, after: Offset) -> Want {
        if std::mem::replace(&mut self.reading, true) { Want::Nothing } else { Want::Read(after) }
    }
}
