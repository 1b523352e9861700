//! How far a node has passed on a followed channel, and what it does when it finds that a
//! publication is missing in between. One tail for each channel and node: a gap is noticed once,
//! not once per subscriber.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Offset, Position, Publication};
use crate::port::Page;
use crate::stream::Extent;

#[cfg(test)]
mod tests;

/// The most publications held back while a hole before them is being read from the store. When
/// there are more they are let go, and read from the store too.
const HELD_MAX: usize = 1_024;

/// How long to wait for a publication that only its announcement can bring, because the store
/// does not keep it, when a later one is here already. Two nodes publishing at once are enough
/// to turn two announcements round.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long to wait before asking a store again that failed, or has yet to hear what this node
/// knows.
const RETRY: Duration = Duration::from_secs(1);

/// What the lanes are to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The next publication.
    Pass(Arc<Publication>),
    /// The stream jumps: the next publication is the one after this position.
    Jump(Position),
    /// The history is another, and the same as the one before up to this position, after which
    /// the next publication is.
    Renewed(Position),
}

/// What a tail wants after it was told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Nothing.
    Nothing,
    /// The publications after this offset, from the store.
    Read(Offset),
    /// To be asked again after this time, by [`Tail::handle_timeout`].
    Later(Duration),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is known to be missing.
    #[default]
    Idle,
    /// The store was asked.
    Reading,
    /// It will be asked when some time has passed.
    Waiting,
}

/// Where the stream of a followed channel stands on this node. A new one does not know yet where it
/// is; the first page tells it.
#[derive(Debug, Default)]
pub struct Tail {
    at: Option<Position>,
    stage: Stage,
    /// Publications that came before those in front of them.
    held: Vec<Held>,
    /// Where it waited in vain for a publication that the store does not keep.
    waited_at: Option<Position>,
    /// Whether news may have been lost since the store was asked last.
    doubt: bool,
}

#[derive(Debug)]
struct Held {
    publication: Arc<Publication>,
    /// Whether it came after the store was asked last, so that the answer may not know of it.
    fresh: bool,
}

impl Tail {
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
        let next = position.epoch == at.epoch && position.offset == at.offset + 1;
        if !next || self.stage == Stage::Reading {
            self.hold(publication);
            return self.want(at.offset);
        }
        self.at = Some(position);
        out.push(Step::Pass(publication));
        if self.held.is_empty() { Want::Nothing } else { self.release(out) }
    }

    /// News may have been lost: the store has to be asked what there was.
    pub fn handle_doubt(&mut self) -> Want {
        match self.at {
            Some(at) if self.stage == Stage::Idle => self.want(at.offset),
            _ => {
                // Whatever is on its way may have been said before.
                self.doubt = true;
                Want::Nothing
            }
        }
    }

    /// The store told where the channel is, in answer to somebody's question.
    pub fn handle_head(&mut self, page: &Page, out: &mut Vec<Step>) -> Want {
        let head = page.extent.head;
        let Some(at) = self.at else {
            self.at = Some(head);
            let want = self.release(out);
            return self.settle_doubt(want);
        };
        if at.epoch == head.epoch && head.offset <= at.offset {
            return Want::Nothing;
        }
        if at.epoch != head.epoch && self.stage == Stage::Waiting {
            // Whoever asked cannot be answered before this tail has gone over.
            self.stage = Stage::Idle;
        }
        self.want(at.offset)
    }

    /// The store answered a read that this tail wanted.
    pub fn handle_page(&mut self, page: Page, out: &mut Vec<Step>) -> Want {
        self.stage = Stage::Idle;
        let Some(at) = self.at else { return Want::Nothing };
        let Extent { head, kept, .. } = page.extent;
        if head.epoch != at.epoch {
            return self.begin_epoch(page.extent, out);
        }
        self.pass_all(page.publications, out);
        if let Some(wait) = self.jump_over_lost(page.extent, out) {
            return self.later(wait);
        }
        self.pass_held(out);
        let want = match self.at {
            Some(now) if kept && now.offset < head.offset => self.go_on(at, now),
            _ => self.release(out),
        };
        self.settle_doubt(want)
    }

    /// Asks the store once more if there was doubt while it was being asked.
    fn settle_doubt(&mut self, want: Want) -> Want {
        match want {
            Want::Nothing if self.doubt => self.handle_doubt(),
            want => want,
        }
    }

    /// The store could not answer a read.
    pub fn handle_failure(&mut self) -> Want {
        // Nothing was heard of these.
        self.held.iter_mut().for_each(|held| held.fresh = true);
        self.later(RETRY)
    }

    /// The time has passed that this tail wanted to wait.
    pub fn handle_timeout(&mut self) -> Want {
        let Some(at) = self.at.filter(|_| self.stage == Stage::Waiting) else {
            return Want::Nothing;
        };
        self.stage = Stage::Idle;
        self.want(at.offset)
    }

    /// Reads on from `now`, after a page that began at `before`.
    fn go_on(&mut self, before: Position, now: Position) -> Want {
        if before == now { self.later(RETRY) } else { self.want(now.offset) }
    }

    fn begin_epoch(&mut self, extent: Extent, out: &mut Vec<Step>) -> Want {
        let head = extent.head;
        let before = self.at.unwrap_or(head);
        let begin = extent.go_on(before).offset;
        let common = extent.previous.is_some_and(|previous| previous.epoch == before.epoch);
        let held = self.held_after(Position { offset: 0, ..head }).filter(|_| !common);
        let offset = held.map_or(begin, |held| begin.min(held - 1));
        let start = Position { offset, ..head };
        self.at = Some(start);
        out.push(if common { Step::Renewed(start) } else { Step::Jump(start) });
        if offset < head.offset { self.want(offset) } else { self.release(out) }
    }

    /// Passes on what the store read, and what is held between.
    fn pass_all(&mut self, publications: Vec<Arc<Publication>>, out: &mut Vec<Step>) {
        let Some(last) = publications.last().map(|last| last.position) else { return };
        let within = |p: Position| p.epoch == last.epoch && p.offset <= last.offset;
        let mut all = publications;
        self.held.retain(|held| {
            let pass = within(held.publication.position);
            all.extend(pass.then(|| Arc::clone(&held.publication)));
            !pass
        });
        all.sort_by_key(|publication| publication.position.offset);
        all.into_iter().for_each(|publication| self.pass(publication, out));
    }

    /// Passes on a publication, over a hole if there is one.
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

    /// Jumps over what neither the store has nor this node holds. What the store does not keep
    /// at all may still be on its way: then this says how long to wait for it first.
    fn jump_over_lost(&mut self, extent: Extent, out: &mut Vec<Step>) -> Option<Duration> {
        let at = self.at?;
        let held = self.held_after(at);
        let lost_until = held.map_or(extent.head.offset, |held| held - 1).min(extent.first - 1);
        if lost_until <= at.offset {
            return None;
        }
        if !extent.kept && self.waited_at.replace(at) != Some(at) {
            return Some(PATIENCE);
        }
        let jump = Position { epoch: at.epoch, offset: lost_until };
        self.at = Some(jump);
        out.push(Step::Jump(jump));
        None
    }

    /// Passes on what was held back and is next now.
    fn pass_held(&mut self, out: &mut Vec<Step>) {
        let Some(mut at) = self.at else { return };
        self.held.sort_by_key(|held| held.publication.position.offset);
        self.held.retain(|held| {
            let position = held.publication.position;
            if position.epoch != at.epoch || position.offset > at.offset + 1 {
                return true;
            }
            if position.offset == at.offset + 1 {
                at = position;
                out.push(Step::Pass(Arc::clone(&held.publication)));
            }
            false
        });
        self.at = Some(at);
    }

    /// The first offset held after `at`, in its epoch.
    fn held_after(&self, at: Position) -> Option<Offset> {
        let held = self.held.iter().map(|held| held.publication.position);
        let after = held.filter(|p| p.epoch == at.epoch && p.offset > at.offset);
        after.map(|p| p.offset).min()
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
        if want != Want::Nothing {
            self.held.iter_mut().for_each(|held| held.fresh = false);
        }
        want
    }

    fn hold(&mut self, publication: Arc<Publication>) {
        if self.held.len() >= HELD_MAX {
            self.held.clear();
        }
        self.held.push(Held { publication, fresh: true });
    }

    fn want(&mut self, after: Offset) -> Want {
        if self.stage != Stage::Idle {
            return Want::Nothing;
        }
        self.stage = Stage::Reading;
        self.doubt = false;
        self.held.iter_mut().for_each(|held| held.fresh = false);
        Want::Read(after)
    }

    fn later(&mut self, wait: Duration) -> Want {
        self.stage = Stage::Waiting;
        Want::Later(wait)
    }
}
