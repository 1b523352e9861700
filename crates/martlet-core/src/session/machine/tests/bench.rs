//! What the session's tests stand on: everything a session wants done, as short lines of text,
//! and the numbers under which it waits for answers.

use crate::model::{NodeId, SessionPlace};
use std::collections::BTreeMap;

use super::*;
use crate::model::{
    Access, Appended, Data, Draft, Epoch, Gap, GapReason, Lagging, Offset, Position, PublicationId,
    UserId,
};
use crate::session::{History, HistoryPage, Refresh, Reply, Start};

pub const GRANT_KEY: &[u8] = b"a key for tests";

pub struct Bench {
    pub session: Session,
    pub now: Now,
    /// The number under which the last question or request of these words was asked.
    pub asked: BTreeMap<String, u32>,
    /// The last grant that the client was told.
    pub grant: Box<str>,
}

/// `open` channels are for anyone and have members, `user:` ones are for users, `mine:` ones for
/// those with a permission, `backend:` ones for nobody; `strict:` ones close who lags, `patient:`
/// ones would if they kept nothing; others have no namespace.
pub fn rules() -> Rules {
    let with = |access: Access| Namespace {
        subscribe: access,
        publish: access,
        history: access,
        see_presence: access,
        presence: false,
        ..Namespace::open()
    };
    let named = [
        ("user", with(Access::Users)),
        ("mine", with(Access::Granted)),
        ("backend", with(Access::Backend)),
        ("strict", strict(0)),
        ("patient", strict(10)),
    ];
    let named = named.into_iter().map(|(prefix, n)| (prefix.into(), n)).collect();
    let namespaces = Namespaces { default: Some(Namespace::open()), named, unnamed: None };
    let limits = Limits {
        channels_per_client: 3,
        commands_per_frame: 4,
        history_page: 50,
        presence_page: 20,
        ..Limits::default()
    };
    Rules {
        namespaces: Arc::new(namespaces),
        limits,
        anonymous: true,
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
        expiry: Duration::from_secs(60),
        grant_lifetime: Duration::from_secs(3_600),
        grant_key: GrantKey::new(GRANT_KEY),
    }
}

/// Options that rather close a client than let it miss something.
fn strict(history_size: usize) -> Namespace {
    Namespace { history_size, lagging: Lagging::Close, ..Namespace::open() }
}

pub fn opening() -> Opening {
    Opening {
        key: SessionKey::new(SessionPlace { node: NodeId::new(0), worker: 1, slot: 0 }, 11),
        client: ClientId::new(5),
        holder: Holder(9),
        answers: true,
        member: true,
        aged_at: Instant::NEVER,
    }
}

pub fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

pub fn user(name: &str) -> Identity {
    Identity { user: UserId::parse(name), ..Identity::default() }
}

pub fn at(offset: Offset) -> Position {
    Position { epoch: Epoch::new(1), offset }
}

pub fn subscribe(channel: &str) -> Subscribe {
    Subscribe { channel: name(channel), token: None, start: Start::Now }
}

pub fn with_token(channel: &str) -> Subscribe {
    Subscribe { token: Some("t".into()), ..subscribe(channel) }
}

pub fn draft(channel: &str) -> Draft {
    Draft {
        channel: name(channel),
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: Data::Json("1".into()),
    }
}

pub fn channel_grant(channel: &str, verbs: &[Verb], expires: Option<u64>) -> ChannelGrant {
    let verbs = verbs.iter().copied().collect();
    ChannelGrant { channel: name(channel), verbs, expires: expires.map(UnixMillis) }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(rules(), opening())
    }

    pub fn with(rules: Rules, opening: Opening) -> Self {
        let now = Now { instant: Instant(1_000_000), wall: UnixMillis(100_000) };
        let session = Session::new(now, Arc::new(rules), opening);
        Self { session, now, asked: BTreeMap::new(), grant: "".into() }
    }

    /// A session that an anonymous client has connected to.
    pub fn connected() -> Self {
        Self::identified(Identity::default())
    }

    /// A session of a client whose token says this.
    pub fn identified(identity: Identity) -> Self {
        let mut bench = Self::new();
        bench.command(
            1,
            Command::Connect(Connect { token: Some("t".into()), ..Connect::default() }),
        );
        bench.words();
        bench.verdict("ask token t", Verdict::Identity(Box::new(identity)));
        assert_eq!(bench.words()[0], "1 connected");
        bench
    }

    pub fn command(&mut self, id: u32, command: Command) {
        self.session.handle_command(self.now, Numbered { id, command });
    }

    pub fn say(&mut self, id: u32, command: Command) -> Vec<String> {
        self.command(id, command);
        self.words()
    }

    pub fn subscribe(&mut self, id: u32, channels: &[&str]) -> Vec<String> {
        let list = channels.iter().map(|channel| subscribe(channel)).collect();
        self.say(id, Command::Subscribe(list))
    }

    pub fn unsubscribe(&mut self, id: u32, channels: &[&str]) -> Vec<String> {
        let list = channels.iter().map(|channel| name(channel)).collect();
        self.say(id, Command::Unsubscribe(list))
    }

    /// Subscribes, and lets the owner agree.
    pub fn follow(&mut self, channel: &str) -> Vec<String> {
        self.subscribe(2, &[channel]);
        self.followed(channel);
        self.words()
    }

    pub fn followed(&mut self, channel: &str) {
        let (channel, head) = (name(channel), at(3));
        let followed =
            Followed { channel: channel.clone(), begin: head, head, gap: None, recovered: false };
        self.reply(&format!("follow {channel}"), Reply::Followed(followed));
    }

    pub fn verdict(&mut self, asked: &str, verdict: Verdict) {
        let number = self.asked[asked];
        self.session.handle_verdict(self.now, number, verdict);
    }

    pub fn reply(&mut self, asked: &str, reply: Reply) {
        self.session.handle_reply(self.asked[asked], reply);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant.after(time);
        self.now.wall = self.now.wall.plus_ms(time.as_millis() as u64);
    }

    /// Time has passed in which nothing was written since `sent_at`.
    pub fn timeout(&mut self, sent_at: Instant) -> Vec<String> {
        self.session.handle_timeout(self.now, sent_at);
        self.words()
    }

    /// What the session wants done, in order.
    pub fn words(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while let Some(output) = self.session.poll_output() {
            match output {
                // There is always room here.
                Output::Ask(number, Question::Nobody) => {
                    let nobody = Verdict::Identity(Box::default());
                    self.session.handle_verdict(self.now, number, nobody);
                }
                output => words.push(self.word(output)),
            }
        }
        words
    }

    fn word(&mut self, output: Output) -> String {
        match output {
            Output::Tell(Answer { id, event }) => {
                if let Event::Connected(connected) = &event {
                    self.grant = connected.grant.clone();
                }
                if let Event::Grant { grant, .. } = &event {
                    self.grant = grant.clone();
                }
                format!("{id} {}", event_word(&event))
            }
            Output::Ask(number, question) => {
                let word = match question {
                    Question::Token(token) => format!("ask token {token}"),
                    Question::Channel { channel, .. } => format!("ask {channel}"),
                    Question::Grant(_) => "ask grant".into(),
                    Question::Nobody => "ask nobody".into(),
                };
                self.note(number, word)
            }
            Output::Request(number, request) => {
                let word = request_word(&request);
                if number == 0 { word } else { self.note(number, word) }
            }
            Output::Begin(channel, followed) => {
                format!("begin {channel} {}", followed.begin.offset)
            }
            Output::End(channel) => format!("end {channel}"),
            Output::Replace(key) => format!("replace {}", key.worker()),
            Output::Close(close) => format!("close {}", close.code.name()),
        }
    }

    fn note(&mut self, number: u32, word: String) -> String {
        self.asked.insert(word.clone(), number);
        word
    }
}

fn event_word(event: &Event) -> String {
    let channel_word = |word: &str, channel: &Option<ChannelName>| match channel {
        Some(channel) => format!("{word} {channel}"),
        None => word.into(),
    };
    match event {
        Event::Connected(connected) if connected.resumed => "resumed".into(),
        Event::Connected(_) => "connected".into(),
        Event::Subscribed(s) => format!("subscribed {} {}", s.channel, s.position.offset),
        Event::Unsubscribed { channel, why: None } => format!("unsubscribed {channel}"),
        Event::Unsubscribed { channel, why: Some(why) } => {
            format!("unsubscribed {channel} {}", why.code.name())
        }
        Event::Published { channel, appended } => {
            format!("published {channel} {}", appended.position.offset)
        }
        Event::Publication(_) => "publication".into(),
        Event::History(page) => format!("history {} {}", page.channel, page.head.offset),
        Event::Presence { channel, count, .. } => format!("presence {channel} {count}"),
        Event::Join { channel, .. } => format!("join {channel}"),
        Event::Leave { channel, .. } => format!("leave {channel}"),
        Event::Gap(gap) => format!("gap {} {}", gap.channel, gap.from),
        Event::Lagged { channel, offset, head } => format!("lagged {channel} {offset} {head}"),
        Event::Ping => "ping".into(),
        Event::Pong { time } => format!("pong {time}"),
        Event::Refreshed { channel, expires } => {
            let expires = expires.map_or("never".into(), |e| e.to_string());
            channel_word(&format!("refreshed {expires}"), channel)
        }
        Event::Grant { expires, .. } => format!("grant {expires}"),
        Event::Refused { channel, refusal } => channel_word(refusal.code.name(), channel),
        Event::Closing(close) => format!("closing {}", close.code.name()),
    }
}

fn request_word(request: &Request) -> String {
    match request {
        Request::Follow { channel, .. } => format!("follow {channel}"),
        Request::Unfollow { channel } => format!("unfollow {channel}"),
        Request::Publish(draft) => format!("publish {}", draft.channel),
        Request::Read { channel, limit, .. } => format!("read {channel} {limit}"),
        Request::Enter { channel, .. } => format!("enter {channel}"),
        Request::Exit { channel, lost: true, .. } => format!("lose {channel}"),
        Request::Exit { channel, .. } => format!("exit {channel}"),
        Request::Members { channel, limit } => format!("members {channel} {limit}"),
        Request::Load { .. } | Request::Channels { .. } => panic!("no session asks for that"),
    }
}

pub fn history(channel: &str, limit: usize) -> Command {
    Command::History(History { channel: name(channel), start: None, limit, reverse: false })
}

pub fn refresh(channel: Option<&str>) -> Command {
    Command::Refresh(Refresh { channel: channel.map(name), token: "t".into() })
}

pub fn published(offset: Offset) -> Reply {
    Reply::Published(Appended {
        id: PublicationId::from_bits(1),
        position: at(offset),
        time: UnixMillis(1),
        duplicate: false,
    })
}

pub fn page(channel: &str) -> Reply {
    let (channel, head) = (name(channel), at(3));
    Reply::History(HistoryPage { channel, head, publications: Vec::new(), more: false })
}

pub fn gap(channel: &str, from: Offset) -> Gap {
    let reason = GapReason::Expired;
    Gap { channel: name(channel), from, to: Some(from), reason, resume: at(from) }
}
