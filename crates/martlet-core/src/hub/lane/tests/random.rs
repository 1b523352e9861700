//! Whatever happens in whatever order, a reader hears of each channel every publication after its
//! beginning once and in order, except those that a gap names; and in the end it is at the head.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bench::*;
use super::*;
use crate::model::Epoch;

const CHANNELS: [&str; 3] = ["a", "b", "c"];
const WIRES: [Wire; 4] = [TEXT, LOUD, TERSE, CURSOR];

#[derive(Debug, Clone)]
enum Step {
    Connect { wire: usize },
    Disconnect { reader: usize },
    Begin { reader: usize, channel: usize, back: u64 },
    End { reader: usize, channel: usize },
    Push { reader: usize },
    Append { channel: usize },
    Deliver { channel: usize },
    Join { channel: usize },
    Visit { room: usize },
    Unblock { reader: usize },
    Load { answer: Answer },
    Retry,
    Expire { channel: usize, count: u64 },
    Jump { channel: usize, over: u64 },
    NewEpoch { channel: usize },
    Cut { bytes: usize },
    Ease,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    /// As the store is now.
    Now,
    /// As the store was when it was asked.
    Stale,
    Fails,
    /// After the others.
    Later,
}

fn step() -> impl Strategy<Value = Step> {
    let reader = 0usize..6;
    let channel = 0usize..CHANNELS.len();
    let answer = prop_oneof![
        4 => Just(Answer::Now),
        2 => Just(Answer::Stale),
        1 => Just(Answer::Fails),
        1 => Just(Answer::Later),
    ];
    prop_oneof![
        2 => (0..WIRES.len()).prop_map(|wire| Step::Connect { wire }),
        1 => reader.clone().prop_map(|reader| Step::Disconnect { reader }),
        6 => (reader.clone(), channel.clone(), 0u64..8)
            .prop_map(|(reader, channel, back)| Step::Begin { reader, channel, back }),
        2 => (reader.clone(), channel.clone())
            .prop_map(|(reader, channel)| Step::End { reader, channel }),
        3 => reader.clone().prop_map(|reader| Step::Push { reader }),
        8 => channel.clone().prop_map(|channel| Step::Append { channel }),
        12 => channel.clone().prop_map(|channel| Step::Deliver { channel }),
        2 => channel.clone().prop_map(|channel| Step::Join { channel }),
        12 => prop_oneof![0usize..30, Just(usize::MAX)].prop_map(|room| Step::Visit { room }),
        5 => reader.prop_map(|reader| Step::Unblock { reader }),
        5 => answer.prop_map(|answer| Step::Load { answer }),
        1 => Just(Step::Retry),
        1 => (channel.clone(), 1u64..6)
            .prop_map(|(channel, count)| Step::Expire { channel, count }),
        1 => (channel.clone(), 1u64..4).prop_map(|(channel, over)| Step::Jump { channel, over }),
        1 => channel.prop_map(|channel| Step::NewEpoch { channel }),
        1 => prop_oneof![Just(0), 0usize..80].prop_map(|bytes| Step::Cut { bytes }),
        1 => Just(Step::Ease),
    ]
}

/// What a reader is known to have heard, by what it was written.
#[derive(Default)]
struct Ear {
    /// Each channel it follows, and the position after the last thing heard.
    at: BTreeMap<String, Position>,
    /// The number of the last private frame.
    heard: u32,
    /// The channel whose frame was just heard, if its cursor has to come next.
    cursor_due: bool,
}

struct World {
    bench: Bench,
    readers: Vec<(ReaderKey, Wire, BTreeSet<&'static str>)>,
    /// Every page asked for, with how the channel was then.
    asked: VecDeque<(ChannelName, Offset, Page)>,
    pushed: BTreeMap<ReaderKey, u32>,
    ears: BTreeMap<ReaderKey, (Wire, Ear)>,
}

impl World {
    fn new(kept: bool) -> Self {
        let mut bench = Bench::new(4, 60);
        bench.page = 3;
        for channel in CHANNELS {
            bench.channel(channel).kept = kept || channel == "a";
        }
        let (readers, asked) = (Vec::new(), VecDeque::new());
        Self { bench, readers, asked, pushed: BTreeMap::new(), ears: BTreeMap::new() }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect { wire } if self.readers.len() < 6 => self.connect(WIRES[wire]),
            Step::Disconnect { reader } if reader < self.readers.len() => {
                let (key, ..) = self.readers.swap_remove(reader);
                self.bench.lane.remove_reader(key);
                self.listen(key);
                self.ears.remove(&key);
            }
            Step::Begin { reader, channel, back } if reader < self.readers.len() => {
                self.begin(reader, CHANNELS[channel], back);
            }
            Step::End { reader, channel } if reader < self.readers.len() => {
                let (key, _, followed) = &mut self.readers[reader];
                let ended = self.bench.unfollow(*key, CHANNELS[channel]);
                assert_eq!(ended, followed.remove(CHANNELS[channel]));
            }
            Step::Push { reader } if reader < self.readers.len() => {
                let key = self.readers[reader].0;
                let number = self.pushed.entry(key).or_default();
                *number += 1;
                let text = format!("n {number}");
                self.bench.tell(key, &text);
            }
            Step::Append { channel } => self.bench.append(CHANNELS[channel]),
            Step::Deliver { channel } => {
                let history = self.bench.channel(CHANNELS[channel]);
                if history.delivered.offset < history.head.offset {
                    self.bench.deliver(CHANNELS[channel]);
                }
            }
            Step::Join { channel } => self.bench.join(CHANNELS[channel], 7),
            Step::Visit { room } => {
                if let Some(key) = self.bench.lane.poll_marked() {
                    self.bench.visit(key, room);
                    self.listen(key);
                }
            }
            Step::Unblock { reader } if reader < self.readers.len() => {
                self.bench.lane.unblock(self.readers[reader].0);
            }
            Step::Load { answer } => self.load(answer),
            Step::Retry => self.bench.lane.retry(),
            Step::Expire { channel, count } => {
                let history = self.bench.channel(CHANNELS[channel]);
                history.first = (history.first + count).min(history.head.offset + 1);
            }
            Step::Jump { channel, over } => self.jump(CHANNELS[channel], over),
            Step::NewEpoch { channel } => {
                let epoch = self.bench.channel(CHANNELS[channel]).head.epoch.bits() + 1;
                let to = Position { epoch: Epoch::new(epoch), offset: 0 };
                self.bench.jump(CHANNELS[channel], to);
            }
            Step::Cut { bytes } => self.bench.lane.cut_logs(bytes),
            Step::Ease => self.bench.lane.ease(),
            _ => {}
        }
        self.note_loads();
        self.bench.assert_weighed();
    }

    fn jump(&mut self, channel: &str, over: u64) {
        let History { head, delivered, .. } = *self.bench.channel(channel);
        let offset = (delivered.offset + over).min(head.offset);
        if offset > delivered.offset {
            self.bench.jump(channel, Position { offset, ..delivered });
        }
    }

    fn connect(&mut self, wire: Wire) {
        let key = self.bench.reader(wire);
        self.readers.push((key, wire, BTreeSet::new()));
        self.pushed.insert(key, 0);
        self.ears.insert(key, (wire, Ear::default()));
    }

    /// Begins up to `back` before the newest publication, which the lane may not have yet.
    fn begin(&mut self, reader: usize, channel: &'static str, back: u64) {
        let (key, _, followed) = &mut self.readers[reader];
        if followed.insert(channel) {
            let History { head, .. } = *self.bench.channel(channel);
            let begin = Position { offset: head.offset.saturating_sub(back), ..head };
            self.bench.follow_after(*key, channel, begin);
        }
    }

    fn note_loads(&mut self) {
        for (channel, after) in std::mem::take(&mut self.bench.loads) {
            let page = self.bench.channels[&channel].page(&channel, after, self.bench.page);
            self.asked.push_back((channel, after, page));
        }
    }

    fn load(&mut self, answer: Answer) {
        let Some((channel, after, stale)) = self.asked.pop_front() else { return };
        let Bench { lane, wires, channels, page, .. } = &mut self.bench;
        let now = channels[&channel].page(&channel, after, *page);
        match answer {
            Answer::Now => lane.handle_loaded(&channel, after, &now, wires),
            Answer::Stale => lane.handle_loaded(&channel, after, &stale, wires),
            Answer::Fails => lane.handle_load_failed(&channel, after),
            Answer::Later => self.asked.push_back((channel, after, stale)),
        }
        self.bench.settle();
    }

    /// Everything arrives at last.
    fn finish(&mut self) {
        for channel in CHANNELS {
            let History { head, delivered, .. } = *self.bench.channel(channel);
            (delivered.offset..head.offset).for_each(|_| self.bench.deliver(channel));
        }
        for _ in 0..1_000 {
            self.readers.iter().for_each(|(key, ..)| self.bench.lane.unblock(*key));
            self.bench.sweep();
            self.bench.lane.retry();
            self.note_loads();
            if self.asked.is_empty() && !self.bench.lane.any_marked() {
                break;
            }
            self.load(Answer::Now);
        }
        self.readers.clone().iter().for_each(|(key, ..)| self.listen(*key));
        self.check_end();
    }

    fn check_end(&mut self) {
        for (key, _, followed) in &self.readers {
            let (_, ear) = &self.ears[key];
            let there: BTreeSet<_> = ear.at.keys().map(String::as_str).collect();
            assert_eq!(there, *followed, "{key:?} hears what it follows");
            for (channel, at) in &ear.at {
                assert_eq!(*at, self.bench.channels[&name(channel)].head, "{key:?} in {channel}");
            }
            assert_eq!(ear.heard, self.pushed[key], "private frames of {key:?}");
            assert!(!ear.cursor_due && self.bench.heard[key].is_empty());
        }
        assert_eq!(self.bench.lane.log_bytes(), 0, "everybody has everything");
        self.readers.drain(..).for_each(|(key, ..)| self.bench.lane.remove_reader(key));
        self.bench.assert_weighed();
        self.bench.assert_forgotten();
    }

    /// Checks the whole frames that a reader was written since the last time.
    fn listen(&mut self, key: ReaderKey) {
        let heard = self.bench.heard(key);
        let whole = heard.rfind(';').map_or(0, |end| end + 1);
        self.bench.heard.insert(key, heard[whole..].into());
        let (wire, ear) = self.ears.get_mut(&key).expect("a reader that was connected");
        for frame in heard[..whole].split_terminator(';') {
            ear.hear(*wire, frame, &self.bench.channels);
        }
    }
}

impl Ear {
    fn hear(&mut self, wire: Wire, frame: &str, channels: &BTreeMap<ChannelName, History>) {
        if let Some(cursor) = frame.strip_prefix('#') {
            return self.hear_cursor(cursor);
        }
        assert!(!self.cursor_due, "no cursor before {frame}");
        if let Some(private) = frame.strip_prefix('[') {
            let words: Vec<_> = private.trim_end_matches(']').split(' ').collect();
            return self.hear_private(&words, channels);
        }
        self.cursor_due = wire.cursor;
        let frame = frame.to_lowercase();
        let (channel, rest) = frame.split_at(1);
        let at = self.at.get_mut(channel).unwrap_or_else(|| panic!("{frame} of no channel of it"));
        if rest.starts_with('+') {
            assert!(wire.number != TERSE.number);
            return;
        }
        let number = rest.trim_end_matches(dot(at.epoch));
        assert_eq!(number.parse(), Ok(at.offset + 1), "{frame} after {at:?}");
        at.offset += 1;
    }

    /// The cursor names exactly what this reader follows, and where it is.
    fn hear_cursor(&mut self, cursor: &str) {
        assert!(std::mem::take(&mut self.cursor_due), "a cursor after nothing");
        let cursor = Cursor::parse(cursor).unwrap();
        let told: BTreeMap<_, _> = cursor.iter().map(|(c, p)| (c.to_string(), *p)).collect();
        assert_eq!(told, self.at);
    }

    fn hear_private(&mut self, words: &[&str], channels: &BTreeMap<ChannelName, History>) {
        let number = |i: usize| words[i].parse::<u64>().unwrap();
        let epoch = |i: usize| Epoch::parse(words[i]).unwrap();
        match words[0] {
            "n" => {
                self.heard += 1;
                assert_eq!(number(1), self.heard.into());
            }
            "begin" => {
                let begin = Position { epoch: epoch(2), offset: number(3) };
                assert_eq!(self.at.insert(words[1].into(), begin), None);
            }
            "end" => assert!(self.at.remove(words[1]).is_some()),
            "lagged" => assert_eq!(self.at[words[1]].offset, number(2)),
            "gap" => {
                let history = &channels[&name(words[1])];
                let at = self.at.get_mut(words[1]).expect("a channel that it follows");
                let resume = Position { epoch: epoch(5), offset: number(6) };
                assert_eq!(number(2), at.offset + 1, "a gap begins where it is");
                match words[4] {
                    "epoch" => assert!(words[3] == "?" && resume.epoch > at.epoch),
                    _ => {
                        assert_eq!((number(3), resume.epoch), (resume.offset, at.epoch));
                        assert!(resume.offset > at.offset);
                        let first =
                            if history.kept { history.first } else { history.head.offset + 1 };
                        let current = resume.epoch == history.head.epoch;
                        assert!(!current || resume.offset < first, "it is still in the history");
                    }
                }
                *at = resume;
            }
            other => panic!("{other} is nothing that is told"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_heard_twice_out_of_order_or_not_at_all(
        kept in any::<bool>(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new(kept);
        world.connect(TEXT);
        world.connect(CURSOR);
        for step in &steps {
            world.take(step);
        }
        world.finish();
    }
}
