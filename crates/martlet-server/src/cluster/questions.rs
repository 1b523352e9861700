//! Questions to other nodes that have not been answered: by all who were asked, or until nobody
//! who is left will, or for too long. It sends nothing and knows no clock.

use std::collections::{BTreeMap, BTreeSet};

use martlet_core::model::NodeId;
use martlet_core::time::Instant;

use super::letter::Answer;

#[cfg(test)]
mod tests;

/// A question and who waits for its answers.
#[derive(Debug)]
struct Question<T> {
    ticket: T,
    /// Those who have not answered.
    missing: BTreeSet<NodeId>,
    answers: Vec<Answer>,
    until: Instant,
}

/// The questions, by number.
#[derive(Debug)]
pub struct Questions<T> {
    asked: BTreeMap<u64, Question<T>>,
    done: Vec<(T, Vec<Answer>)>,
}

impl<T> Questions<T> {
    /// None yet.
    pub fn new() -> Self {
        Self { asked: BTreeMap::new(), done: Vec::new() }
    }

    /// Some nodes are asked, by a number that no other question has.
    pub fn ask(&mut self, number: u64, whom: BTreeSet<NodeId>, until: Instant, ticket: T) {
        let question = Question { ticket, missing: whom, answers: Vec::new(), until };
        self.asked.insert(number, question);
        self.settle(number);
    }

    /// A node answers.
    pub fn handle_answer(&mut self, from: NodeId, number: u64, answer: Answer) {
        let Some(question) = self.asked.get_mut(&number) else { return };
        if question.missing.remove(&from) {
            question.answers.push(answer);
            self.settle(number);
        }
    }

    /// These nodes are dead: they will not answer.
    pub fn handle_dead(&mut self, dead: &BTreeSet<NodeId>) {
        let waits = |question: &Question<T>| !question.missing.is_disjoint(dead);
        let waiting = self.asked.iter_mut().filter(|(_, question)| waits(question));
        let mut numbers = Vec::new();
        for (number, question) in waiting {
            question.missing.retain(|node| !dead.contains(node));
            numbers.push(*number);
        }
        numbers.into_iter().for_each(|number| self.settle(number));
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late = self.asked.iter().filter(|(_, question)| question.until <= now);
        for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end(number);
        }
    }

    /// Nobody waits for the answer any more.
    pub fn forget(&mut self, number: u64) {
        self.asked.remove(&number);
    }

    /// Questions that are answered as far as they will be, and the answers.
    pub fn poll_done(&mut self) -> Option<(T, Vec<Answer>)> {
        self.done.pop()
    }

    fn settle(&mut self, number: u64) {
        if self.asked.get(&number).is_some_and(|question| question.missing.is_empty()) {
            self.end(number);
        }
    }

    fn end(&mut self, number: u64) {
        let ended = self.asked.remove(&number);
        self.done.extend(ended.map(|question| (question.ticket, question.answers)));
    }
}
