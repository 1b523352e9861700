//! Whatever happens in whatever order: every follow that an owner granted is given back, every
//! member that entered leaves, every stream that began ends, every command is answered once, and
//! nothing is told after the close.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bench::*;
use super::*;
use crate::session::Reply;

const CHANNELS: [&str; 5] = ["a", "b", "user:c", "mine:d", "nowhere:e"];

#[derive(Debug, Clone)]
enum Deed {
    Connect { token: bool, subscribe: usize },
    Subscribe { channels: Vec<usize>, token: bool },
    Unsubscribe { channels: Vec<usize> },
    Publish { channel: usize },
    Ask { channel: usize },
    Ping,
    Refresh { channel: Option<usize> },
    Verdict { index: usize, good: bool, expires: Option<u64> },
    Reply { index: usize, good: bool },
    BackendFollow { channel: usize },
    BackendEnd { channel: usize },
    Heard,
    Pass { ms: u64, written: bool },
    Detach,
    Close { forever: bool },
    Leave,
}

fn deed() -> impl Strategy<Value = Deed> {
    let channel = 0..CHANNELS.len();
    let channels = prop::collection::vec(channel.clone(), 1..4);
    let index = 0usize..4;
    prop_oneof![
        4 => (any::<bool>(), 0..=CHANNELS.len())
            .prop_map(|(token, subscribe)| Deed::Connect { token, subscribe }),
        8 => (channels.clone(), any::<bool>())
            .prop_map(|(channels, token)| Deed::Subscribe { channels, token }),
        5 => channels.prop_map(|channels| Deed::Unsubscribe { channels }),
        2 => channel.clone().prop_map(|channel| Deed::Publish { channel }),
        2 => channel.clone().prop_map(|channel| Deed::Ask { channel }),
        1 => Just(Deed::Ping),
        2 => prop::option::of(channel.clone()).prop_map(|channel| Deed::Refresh { channel }),
        12 => (index.clone(), prop::bool::weighted(0.9), prop::option::of(0u64..90_000))
            .prop_map(|(index, good, expires)| Deed::Verdict { index, good, expires }),
        12 => (index, prop::bool::weighted(0.8))
            .prop_map(|(index, good)| Deed::Reply { index, good }),
        2 => channel.clone().prop_map(|channel| Deed::BackendFollow { channel }),
        2 => channel.prop_map(|channel| Deed::BackendEnd { channel }),
        2 => Just(Deed::Heard),
        3 => (0u64..15_000, any::<bool>()).prop_map(|(ms, written)| Deed::Pass { ms, written }),
        1 => prop_oneof![
            Just(Deed::Detach),
            any::<bool>().prop_map(|forever| Deed::Close { forever }),
            Just(Deed::Leave),
        ],
    ]
}

struct Play {
    bench: Bench,
    questions: Vec<(u32, Question)>,
    requests: Vec<(u32, Request)>,
    /// Follows that owners granted and were not given back.
    granted: BTreeMap<ChannelName, i32>,
    members: BTreeSet<ChannelName>,
    lost: BTreeSet<ChannelName>,
    streams: BTreeSet<ChannelName>,
    /// How many answers each command is owed.
    owed: BTreeMap<u32, i32>,
    ids: u32,
    sent_at: Instant,
    /// Whether the client is gone, so that nobody hears what it is told.
    gone: bool,
    /// Whether it was told the end, or left.
    over: bool,
}

impl Play {
    fn new() -> Self {
        let mut rules = rules();
        rules.limits.commands_per_second = 0;
        rules.limits.commands_per_frame = 1_000;
        let bench = Bench::with(rules, opening());
        let sent_at = bench.now.instant;
        Self {
            bench,
            questions: Vec::new(),
            requests: Vec::new(),
            granted: BTreeMap::new(),
            members: BTreeSet::new(),
            lost: BTreeSet::new(),
            streams: BTreeSet::new(),
            owed: BTreeMap::new(),
            ids: 0,
            sent_at,
            gone: false,
            over: false,
        }
    }

    fn take(&mut self, deed: &Deed) {
        let now = self.bench.now;
        match deed {
            Deed::Connect { token, subscribe: count } => {
                let list: Vec<_> = CHANNELS[..*count].iter().map(|c| subscribe(c)).collect();
                // One connect is enough; a later one is answered by itself.
                let answers = if self.ids == 0 { 1 + list.len() } else { 1 };
                let token = token.then(|| "t".into());
                let connect = Connect { token, subscribe: list, ..Connect::default() };
                self.command(answers, Command::Connect(connect));
            }
            _ if self.ids == 0 => {}
            Deed::Subscribe { channels, token } => {
                let with = if *token { with_token } else { subscribe };
                let list: Vec<_> = channels.iter().map(|c| with(CHANNELS[*c])).collect();
                self.command(list.len(), Command::Subscribe(list));
            }
            Deed::Unsubscribe { channels } => {
                let list: Vec<_> = channels.iter().map(|c| name(CHANNELS[*c])).collect();
                self.command(list.len(), Command::Unsubscribe(list));
            }
            Deed::Publish { channel } => {
                self.command(1, Command::Publish(draft(CHANNELS[*channel])));
            }
            Deed::Ask { channel } => {
                self.command(1, history(CHANNELS[*channel], 1));
                self.command(1, Command::Presence(name(CHANNELS[*channel])));
            }
            Deed::Ping => self.command(1, Command::Ping),
            Deed::Refresh { channel } => self.command(1, refresh(channel.map(|c| CHANNELS[c]))),
            Deed::Verdict { index, good, expires } => self.judge(*index, *good, *expires),
            Deed::Reply { index, good } => self.reply(*index, *good),
            Deed::BackendFollow { channel } => {
                self.bench.session.follow_by_backend(now, name(CHANNELS[*channel]));
            }
            Deed::BackendEnd { channel } => {
                let why = Code::SubscriptionEnded.into();
                self.bench.session.end_subscription(&name(CHANNELS[*channel]), why);
            }
            _ => self.take_from_outside(deed),
        }
        self.look();
    }

    /// What comes from neither the client nor a channel's owner.
    fn take_from_outside(&mut self, deed: &Deed) {
        let now = self.bench.now;
        match deed {
            Deed::Heard => self.bench.session.handle_heard(),
            Deed::Pass { ms, written } => {
                self.bench.pass(Duration::from_millis(*ms));
                if *written {
                    self.sent_at = self.bench.now.instant;
                }
                self.bench.session.handle_timeout(self.bench.now, self.sent_at);
            }
            Deed::Detach => {
                self.bench.session.handle_detach(now);
                self.gone = true;
            }
            Deed::Close { forever } => {
                let code = if *forever { Code::Disconnected } else { Code::Shutdown };
                self.bench.session.close(code.into());
            }
            Deed::Leave => {
                self.bench.session.leave();
                self.look();
                self.over = true;
            }
            _ => {}
        }
    }

    fn command(&mut self, answers: usize, command: Command) {
        self.ids += 1;
        self.owed.insert(self.ids, answers as i32);
        self.bench.command(self.ids, command);
    }

    fn judge(&mut self, index: usize, good: bool, expires: Option<u64>) {
        if index >= self.questions.len() {
            return;
        }
        let (number, question) = self.questions.remove(index);
        let expires = expires.map(|ms| self.bench.now.wall.plus_ms(ms));
        let verdict = match question {
            _ if !good => Verdict::Refused(Code::TokenInvalid.into()),
            Question::Token(_) => Verdict::Identity(Box::new(Identity {
                channels: vec![name("mine:d")],
                expires,
                ..user("ann")
            })),
            Question::Channel { channel, .. } => Verdict::Channel(ChannelGrant {
                channel,
                verbs: super::super::super::Verbs::ALL,
                expires,
            }),
            Question::Grant(_) => Verdict::Stands,
            Question::Nobody => Verdict::Identity(Box::default()),
        };
        self.bench.session.handle_verdict(self.bench.now, number, verdict);
    }

    fn reply(&mut self, index: usize, good: bool) {
        if index >= self.requests.len() {
            return;
        }
        let (number, request) = self.requests.remove(index);
        let reply = match request {
            _ if !good => Reply::Refused(Code::NodeFull.into()),
            Request::Follow { channel, .. } => {
                *self.granted.entry(channel.clone()).or_default() += 1;
                let (begin, head) = (at(3), at(3));
                Reply::Followed(Followed { channel, begin, head, gap: None, recovered: false })
            }
            Request::Publish(_) => published(1),
            Request::Read { channel, .. } => page(channel.as_str()),
            Request::Members { .. } => Reply::Members { members: Vec::new(), count: 0 },
            other => panic!("{other:?} has no reply"),
        };
        self.bench.session.handle_reply(number, reply);
    }

    /// Takes in what the session wants done.
    fn look(&mut self) {
        while let Some(output) = self.bench.session.poll_output() {
            match output {
                Output::Tell(answer) => self.hear(&answer),
                Output::Ask(number, question) => self.questions.push((number, question)),
                Output::Request(0, request) => self.order(request),
                Output::Request(number, request) => self.requests.push((number, request)),
                Output::Begin(channel, _) => {
                    assert!(self.streams.insert(channel), "it began twice");
                    assert!(self.streams.len() <= 3, "more than the limit");
                }
                Output::End(channel) => assert!(self.streams.remove(&channel), "it had not begun"),
                Output::Replace(_) => panic!("nobody came back"),
                Output::Close(_) => assert!(self.over, "it was not told"),
            }
        }
    }

    fn hear(&mut self, answer: &Answer) {
        assert!(!self.over, "{answer:?} was told after the end");
        if answer.id != 0 {
            let owed = self.owed.get_mut(&answer.id).expect("a number that was given");
            *owed -= 1;
            assert!(*owed >= 0, "{answer:?} is one answer too many");
        }
        self.over |= matches!(answer.event, Event::Closing(_));
    }

    fn order(&mut self, request: Request) {
        match request {
            Request::Unfollow { channel } => {
                let granted = self.granted.entry(channel).or_default();
                *granted -= 1;
                assert!(*granted >= 0, "given back what was not granted");
            }
            Request::Enter { channel, .. } => assert!(self.members.insert(channel)),
            Request::Exit { channel, lost: true, .. } => {
                assert!(self.members.remove(&channel));
                self.lost.insert(channel);
            }
            // Who is lost may still say that it goes for good.
            Request::Exit { channel, .. } => {
                assert!(self.members.remove(&channel) || self.lost.remove(&channel));
            }
            other => panic!("{other:?} wants a reply"),
        }
    }

    /// Everything is answered.
    fn answer_all(&mut self) {
        for _ in 0..10_000 {
            self.judge(0, true, None);
            self.reply(0, true);
            self.look();
            if self.questions.is_empty() && self.requests.is_empty() {
                return;
            }
        }
        panic!("it asks without end");
    }

    fn finish(&mut self) {
        self.answer_all();
        if !self.over && !self.gone {
            let unanswered: Vec<_> = self.owed.iter().filter(|(_, owed)| **owed != 0).collect();
            assert!(unanswered.is_empty(), "unanswered: {unanswered:?}");
            let reads: BTreeSet<_> = self.bench.session.channels().cloned().collect();
            assert_eq!(reads, self.streams);
        }
        self.bench.session.close(Code::Failed.into());
        self.look();
        self.answer_all();
        assert!(self.granted.values().all(|granted| *granted == 0), "{:?}", self.granted);
        assert!(self.members.is_empty() && self.streams.is_empty());
        assert!(self.bench.session.ended());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_is_given_back(deeds in prop::collection::vec(deed(), 1..80)) {
        let mut play = Play::new();
        for deed in &deeds {
            play.take(deed);
        }
        play.finish();
    }
}
