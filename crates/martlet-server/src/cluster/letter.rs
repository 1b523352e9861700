//! What nodes say to each other: a line of JSON, and perhaps bytes after it. Nodes of neighbouring
//! versions understand each other: words and fields are added, never changed; what is not
//! understood is refused.

use std::time::Duration;

use bytes::Bytes;
use martlet_core::model::{
    ChannelName, ClientId, Close, Code, NodeId, Refusal, SessionKey, UnixMillis, UserId,
};
use martlet_core::session::{ChannelState, Polled};
use serde::{Deserialize, Serialize};

use crate::mail::{Control, Whom};
use crate::worker::{Answered, NextPoll};

#[cfg(test)]
mod tests;

/// Something said to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// By whom.
    pub from: NodeId,
    /// The question's number among those of the node that asked it.
    pub number: u64,
    /// What.
    pub what: What,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A question.
    Question(Question),
    /// The answer to the question of this number.
    Answer(Answer),
}

/// What a node can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Take a frame for a session.
    Frame(SessionKey, Bytes),
    /// The client of a session goes for good.
    Leave(SessionKey),
    /// A session was continued elsewhere.
    Replace(SessionKey),
    /// Answer a poll of a session.
    Poll(SessionKey, NextPoll),
    /// Whoever asked the poll of this number is gone.
    PollGone(SessionKey, u64),
    /// Do something with some sessions.
    Control(Control),
    /// Which channels begin so, and no more of them than this?
    Channels(Box<str>, usize),
    /// Whose grants were taken back, and when?
    Revoked,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is not done.
    Refused(Refusal),
    /// What a poll is answered with.
    Polled(Polled),
    /// With how many sessions it was done.
    Sessions(usize),
    /// The channels.
    Channels(Vec<ChannelState>),
    /// Those whose grants were taken back.
    Revoked(Vec<(Whom, UnixMillis)>),
}

#[derive(Serialize, Deserialize)]
struct Head {
    from: String,
    number: u64,
    #[serde(flatten)]
    what: Words,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Words {
    Frame { session: String },
    Leave { session: String },
    Replace { session: String },
    Poll { session: String, have: u32, wait: u64 },
    PollGone { session: String, poll: u64 },
    Subscribe { whom: About, channel: String },
    Unsubscribe { whom: About, channel: String },
    Disconnect { whom: About, code: u16, detail: Option<String>, at: u64 },
    Channels { prefix: String, limit: usize },
    Revoked {},
    Done {},
    Refused { code: u16, detail: Option<String>, after: Option<u64> },
    Batch { number: u32 },
    Nothing { number: u32 },
    Unknown {},
    Sessions { count: usize },
    ChannelList { channels: Vec<ChannelWords> },
    RevokedList { taken: Vec<(About, u64)> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum About {
    User(String),
    Client(String),
    Session(String),
}

#[derive(Serialize, Deserialize)]
struct ChannelWords {
    channel: String,
    head: Option<(String, u64)>,
    subscribers: usize,
    members: usize,
}

impl Letter {
    /// Writes it.
    pub fn write(&self) -> Bytes {
        let (what, body) = words_of(&self.what);
        let head = Head { from: self.from.to_string(), number: self.number, what };
        let mut bytes = serde_json::to_vec(&head).expect("numbers and texts are JSON");
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        bytes.into()
    }

    /// Reads it; `None` if it is nothing that this version knows.
    pub fn read(bytes: &Bytes) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
        let body = bytes.slice(end + 1..);
        let from = NodeId::parse(&head.from)?;
        Some(Self { from, number: head.number, what: what_of(head.what, body)? })
    }
}

fn words_of(what: &What) -> (Words, Bytes) {
    let none = Bytes::new();
    match what {
        What::Question(Question::Frame(key, frame)) => {
            (Words::Frame { session: key.to_string() }, frame.clone())
        }
        What::Answer(Answer::Polled(Polled::Batch { number, bytes })) => {
            (Words::Batch { number: *number }, bytes.clone())
        }
        What::Question(question) => (words_of_question(question), none),
        What::Answer(answer) => (words_of_answer(answer), none),
    }
}

fn words_of_question(question: &Question) -> Words {
    match question {
        Question::Frame(key, _) => Words::Frame { session: key.to_string() },
        Question::Leave(key) => Words::Leave { session: key.to_string() },
        Question::Replace(key) => Words::Replace { session: key.to_string() },
        Question::Poll(key, NextPoll { have, wait }) => {
            Words::Poll { session: key.to_string(), have: *have, wait: millis(*wait) }
        }
        Question::PollGone(key, poll) => Words::PollGone { session: key.to_string(), poll: *poll },
        Question::Control(control) => words_of_control(control),
        Question::Channels(prefix, limit) => {
            Words::Channels { prefix: prefix.to_string(), limit: *limit }
        }
        Question::Revoked => Words::Revoked {},
    }
}

fn words_of_control(control: &Control) -> Words {
    match control {
        Control::Subscribe(whom, channel) => {
            Words::Subscribe { whom: about(whom), channel: channel.to_string() }
        }
        Control::Unsubscribe(whom, channel) => {
            Words::Unsubscribe { whom: about(whom), channel: channel.to_string() }
        }
        Control::Disconnect { whom, close, at } => {
            let detail = close.detail.as_deref().map(str::to_owned);
            Words::Disconnect { whom: about(whom), code: close.code.number(), detail, at: at.0 }
        }
    }
}

fn words_of_answer(answer: &Answer) -> Words {
    match answer {
        Answer::Done => Words::Done {},
        Answer::Refused(refusal) => Words::Refused {
            code: refusal.code.number(),
            detail: refusal.detail.as_deref().map(str::to_owned),
            after: refusal.after.map(millis),
        },
        Answer::Polled(Polled::Batch { number, .. }) => Words::Batch { number: *number },
        Answer::Polled(Polled::Nothing { number }) => Words::Nothing { number: *number },
        Answer::Polled(Polled::Unknown) => Words::Unknown {},
        Answer::Sessions(count) => Words::Sessions { count: *count },
        Answer::Channels(channels) => {
            Words::ChannelList { channels: channels.iter().map(channel_words).collect() }
        }
        Answer::Revoked(taken) => {
            let taken = taken.iter().map(|(whom, at)| (about(whom), at.0));
            Words::RevokedList { taken: taken.collect() }
        }
    }
}

fn what_of(words: Words, body: Bytes) -> Option<What> {
    let key = |session: String| SessionKey::parse(&session);
    let channel = |name: String| ChannelName::parse(&name).ok();
    let ask = |question| Some(What::Question(question));
    let answer = |answer| Some(What::Answer(answer));
    match words {
        Words::Frame { session } => ask(Question::Frame(key(session)?, body)),
        Words::Leave { session } => ask(Question::Leave(key(session)?)),
        Words::Replace { session } => ask(Question::Replace(key(session)?)),
        Words::Poll { session, have, wait } => {
            let next = NextPoll { have, wait: Duration::from_millis(wait) };
            ask(Question::Poll(key(session)?, next))
        }
        Words::PollGone { session, poll } => ask(Question::PollGone(key(session)?, poll)),
        Words::Subscribe { whom, channel: name } => {
            ask(Question::Control(Control::Subscribe(whom_of(whom)?, channel(name)?)))
        }
        Words::Unsubscribe { whom, channel: name } => {
            ask(Question::Control(Control::Unsubscribe(whom_of(whom)?, channel(name)?)))
        }
        Words::Disconnect { whom, code, detail, at } => {
            let code = Code::from_number(code)?;
            let close = Close { detail: detail.map(Into::into), ..code.into() };
            let (whom, at) = (whom_of(whom)?, UnixMillis(at));
            ask(Question::Control(Control::Disconnect { whom, close, at }))
        }
        Words::Channels { prefix, limit } => ask(Question::Channels(prefix.into(), limit)),
        Words::Revoked {} => ask(Question::Revoked),
        Words::Done {} => answer(Answer::Done),
        Words::Refused { code, detail, after } => answer(Answer::Refused(Refusal {
            code: Code::from_number(code)?,
            detail: detail.map(Into::into),
            after: after.map(Duration::from_millis),
        })),
        Words::Batch { number } => answer(Answer::Polled(Polled::Batch { number, bytes: body })),
        Words::Nothing { number } => answer(Answer::Polled(Polled::Nothing { number })),
        Words::Unknown {} => answer(Answer::Polled(Polled::Unknown)),
        Words::Sessions { count } => answer(Answer::Sessions(count)),
        Words::ChannelList { channels } => {
            let channels = channels.into_iter().map(channel_state);
            answer(Answer::Channels(channels.collect::<Option<_>>()?))
        }
        Words::RevokedList { taken } => {
            let taken = taken.into_iter().map(|(who, at)| Some((whom_of(who)?, UnixMillis(at))));
            answer(Answer::Revoked(taken.collect::<Option<_>>()?))
        }
    }
}

fn millis(time: Duration) -> u64 {
    time.as_nanos().div_ceil(1_000_000) as u64
}

fn about(whom: &Whom) -> About {
    match whom {
        Whom::User(user) => About::User(user.to_string()),
        Whom::Client(client) => About::Client(client.to_string()),
        Whom::Session(key) => About::Session(key.to_string()),
    }
}

fn whom_of(about: About) -> Option<Whom> {
    match about {
        About::User(user) => UserId::parse(&user).map(Whom::User),
        About::Client(client) => ClientId::parse(&client).map(Whom::Client),
        About::Session(key) => SessionKey::parse(&key).map(Whom::Session),
    }
}

fn channel_words(state: &ChannelState) -> ChannelWords {
    ChannelWords {
        channel: state.channel.to_string(),
        head: state.head.map(|head| (head.epoch.to_string(), head.offset)),
        subscribers: state.subscribers,
        members: state.members,
    }
}

fn channel_state(words: ChannelWords) -> Option<ChannelState> {
    let head = match words.head {
        Some((epoch, offset)) => {
            let epoch = martlet_core::model::Epoch::parse(&epoch)?;
            Some(martlet_core::model::Position { epoch, offset })
        }
        None => None,
    };
    let channel = ChannelName::parse(&words.channel).ok()?;
    let ChannelWords { subscribers, members, .. } = words;
    Some(ChannelState { channel, head, subscribers, members })
}

/// What a poll was answered with, on the node that has its session.
impl From<Result<Answered, Refusal>> for Answer {
    fn from(answered: Result<Answered, Refusal>) -> Self {
        match answered {
            Ok(answered) => Self::Polled(answered.polled),
            Err(refusal) => Self::Refused(refusal),
        }
    }
}
