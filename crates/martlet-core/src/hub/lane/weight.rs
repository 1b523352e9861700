//! How much memory a lane holds for its readers, counted where it changes, and how it lets go of
//! some when the node is short of it.

use super::*;

/// What is held. The sums are always what adding everything up would give.
#[derive(Debug)]
pub(super) struct Weight {
    /// Memory of logs and pages.
    pub logs: usize,
    /// Private bytes of all readers.
    pub owed: usize,
    /// The most bytes of one log for the time being.
    pub log_bytes_max: usize,
}

impl Weight {
    pub fn new(limits: &LaneLimits) -> Self {
        Self { logs: 0, owed: 0, log_bytes_max: limits.log_bytes }
    }
}

impl Lane {
    /// How much memory the logs take, with the pages for readers who are behind.
    pub fn log_weight(&self) -> usize {
        self.weight.logs
    }

    /// How many private bytes all readers are owed.
    pub fn owed_weight(&self) -> usize {
        self.weight.owed
    }

    /// Cuts the logs until they have about `bytes_max` together, and keeps each as short from now
    /// on, until [`ease`](Self::ease). Whoever is behind the cut goes on from the history. What was
    /// appended last stays as long as readers are marked: those at the head are about to get it.
    pub fn cut_logs(&mut self, bytes_max: usize) {
        let kindly = self.any_marked();
        let logs = || self.streams.iter().flat_map(|(_, stream)| &stream.logs);
        let unread = logs().filter(|log| log.frames.len() > 0).count();
        let each = bytes_max / unread.max(1);
        self.weight.log_bytes_max = self.limits.log_bytes.min(each);
        for (_, stream) in &mut self.streams {
            for log in &mut stream.logs {
                log.pages = Vec::new();
                log.frames.cut(each, kindly);
                log.weigh(&mut self.weight.logs);
            }
        }
    }

    /// Logs may be as long as they are meant to be again.
    pub fn ease(&mut self) {
        self.weight.log_bytes_max = self.limits.log_bytes;
    }

    /// Readers who take nothing and are owed at least `least` private bytes, those with most first.
    pub fn most_owed(&self, least: usize) -> Vec<(usize, ReaderKey)> {
        let blocked = self.readers.iter().filter(|(_, reader)| reader.blocked);
        let owed = blocked.map(|(key, reader)| (reader.owed_bytes(), key));
        let much = owed.filter(|(bytes, _)| *bytes >= least);
        let mut much: Vec<_> = much.map(|(bytes, key)| (bytes, ReaderKey(key as u32))).collect();
        much.sort_unstable_by(|a, b| b.cmp(a));
        much
    }

    /// Lets go of a reader's private frames: it is to be told that it ends, and nothing before
    /// that. A frame that was begun is still written to its end.
    pub fn forget_owed(&mut self, key: ReaderKey) {
        let Some(reader) = self.readers.get_mut(key.0 as usize) else { return };
        let before = reader.owed_bytes();
        if let Some(owed) = &mut reader.owed {
            (owed.frames, owed.bytes) = (VecDeque::new(), 0);
        }
        reader.owed.take_if(|owed| owed.is_empty());
        self.weight.owed = self.weight.owed + reader.owed_bytes() - before;
    }
}
