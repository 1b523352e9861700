//! For tests: one of everything that can be said, arbitrary ones for property tests, and the
//! comparison of made files with those in the tree.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::*;
use martlet_core::session::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// Fails when `file` is not `expected`; with `UPDATE=1` writes it.
pub(crate) fn assert_file(file: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, expected).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == expected, "{} is stale; run the test with UPDATE=1", file.display());
}

/// Text with all that needs care, short enough for a name.
pub(crate) fn text() -> impl Strategy<Value = Box<str>> {
    let special = prop::sample::select(vec![
        "\u{2028}",
        "\u{2029}",
        "</script>",
        "\"",
        "\\",
        "\u{20ac}",
        "\u{2027}",
        "😀",
        "\u{e2}",
    ]);
    let any = "[^\\p{Cc}]{1,8}".prop_map(String::from);
    vec(prop_oneof![special.prop_map(String::from), any], 1..4).prop_map(|v| v.concat().into())
}

/// Text that may also have control characters: sentences are not names.
pub(crate) fn sentence() -> impl Strategy<Value = Box<str>> {
    any::<String>().prop_map(String::into)
}

pub(crate) fn channel() -> impl Strategy<Value = ChannelName> {
    "[a-zA-Z0-9:./%~é😀_\"<-]{1,20}".prop_map(|name| ChannelName::parse(&name).unwrap())
}

fn position() -> impl Strategy<Value = Position> {
    let bits = any::<(u64, u64)>();
    bits.prop_map(|(epoch, offset)| Position { epoch: Epoch::new(epoch), offset })
}

fn time() -> impl Strategy<Value = UnixMillis> {
    any::<u64>().prop_map(UnixMillis)
}

fn client() -> impl Strategy<Value = ClientId> {
    any::<u64>().prop_map(ClientId::new)
}

fn user() -> impl Strategy<Value = UserId> {
    "[^\\p{Cc}]{1,20}".prop_map(|user| UserId::parse(&user).unwrap())
}

fn json() -> impl Strategy<Value = bytes::Bytes> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        Just("1e999999".to_owned()),
        Just("\"\\ud800 </script> \u{2028}\"".to_owned()),
    ];
    let tree = leaf.prop_recursive(3, 12, 4, |inner| {
        vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" , ")))
    });
    tree.prop_map(String::into)
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        json().prop_map(Data::Json),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Data::Bytes(bytes.into())),
    ]
}

/// Tags sorted by name, as a map on the wire leaves them.
fn tags() -> impl Strategy<Value = Tags> {
    prop::collection::btree_map(text(), text(), 0..4).prop_map(|tags| tags.into_iter().collect())
}

fn publication() -> impl Strategy<Value = Publication> {
    let place = (any::<u128>(), position(), time());
    let sender = of((client(), of(user())));
    (channel(), place, of(text()), of(text()), tags(), sender, data()).prop_map(
        |(channel, (id, position, time), name, reference, tags, from, data)| Publication {
            channel,
            id: PublicationId::from_bits(id),
            position,
            time,
            name,
            reference,
            tags,
            from: from.map(|(client, user)| Publisher { client, user }),
            data,
        },
    )
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![Just(Start::Now), position().prop_map(Start::After), time().prop_map(Start::Since),]
}

fn subscribe() -> impl Strategy<Value = Subscribe> {
    (channel(), of(sentence()), start()).prop_map(|(channel, token, start)| Subscribe {
        channel,
        token,
        start,
    })
}

fn session_key(node: u32, random: u64) -> SessionKey {
    let node = NodeId::new(node);
    SessionKey::new(SessionPlace { node, worker: 3, slot: 7 }, random)
}

fn connect() -> impl Strategy<Value = Connect> {
    let session = of(any::<(u32, u64)>());
    (of(sentence()), of(sentence()), session, of(text()), vec(subscribe(), 0..4)).prop_map(
        |(token, grant, session, agent, subscribe)| Connect {
            token,
            grant,
            session: session.map(|(node, random)| session_key(node, random)),
            agent,
            subscribe,
            ..Connect::default()
        },
    )
}

fn draft() -> impl Strategy<Value = Draft> {
    (channel(), of(text()), of(text()), tags(), of(text()), data()).prop_map(
        |(channel, name, reference, tags, idempotency_key, data)| Draft {
            channel,
            name,
            reference,
            tags,
            from: None,
            idempotency_key,
            data,
        },
    )
}

fn history() -> impl Strategy<Value = History> {
    // `Now` as a start says the same as none, and is read back as none.
    let start = of(start()).prop_map(|start| start.filter(|start| *start != Start::Now));
    (channel(), start, any::<u32>(), any::<bool>()).prop_map(|(channel, start, limit, reverse)| {
        History { channel, start, limit: limit as usize, reverse }
    })
}

/// Any command a client may send.
pub(crate) fn command() -> impl Strategy<Value = Numbered> {
    let command = prop_oneof![
        connect().prop_map(Command::Connect),
        vec(subscribe(), 1..4).prop_map(Command::Subscribe),
        vec(channel(), 1..4).prop_map(Command::Unsubscribe),
        draft().prop_map(Command::Publish),
        history().prop_map(Command::History),
        channel().prop_map(Command::Presence),
        Just(Command::Ping),
        Just(Command::Pong),
        (of(channel()), sentence())
            .prop_map(|(channel, token)| Command::Refresh(Refresh { channel, token })),
    ];
    (any::<u32>(), command).prop_map(|(id, command)| Numbered { id, command })
}

fn member() -> impl Strategy<Value = Member> {
    (client(), of(user()), of(json())).prop_map(|(client, user, info)| Member {
        client,
        user,
        info,
    })
}

fn connected() -> impl Strategy<Value = Connected> {
    let who = (client(), any::<(u32, u64)>(), of(user()), any::<bool>());
    let until = (sentence(), of(time()), any::<(u32, u32)>(), time(), any::<u32>());
    (who, until).prop_map(|((client, session, user, resumed), until)| {
        let (grant, expires, (ping, pong), time, frame_bytes) = until;
        Connected {
            client,
            session: session_key(session.0, session.1),
            user,
            resumed,
            grant,
            expires,
            ping: Duration::from_millis(ping.into()),
            pong: Duration::from_millis(pong.into()),
            time,
            frame_bytes: frame_bytes as usize,
        }
    })
}

fn code() -> impl Strategy<Value = Code> {
    prop::sample::select(Code::ALL)
}

fn after() -> impl Strategy<Value = Option<Duration>> {
    of(any::<u32>().prop_map(|ms| Duration::from_millis(ms.into())))
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (code(), of(sentence()), after()).prop_map(|(code, detail, after)| Refusal {
        code,
        detail,
        after,
    })
}

fn gap() -> impl Strategy<Value = Gap> {
    use GapReason::{Ahead, Epoch, Expired, NotKept};
    let reason = prop::sample::select(vec![Ahead, Epoch, Expired, NotKept]);
    (channel(), any::<u64>(), of(any::<u64>()), reason, position())
        .prop_map(|(channel, from, to, reason, resume)| Gap { channel, from, to, reason, resume })
}

fn page() -> impl Strategy<Value = HistoryPage> {
    (channel(), position(), vec(publication(), 0..4), any::<bool>()).prop_map(
        |(channel, head, publications, more)| {
            let here = |it| Arc::new(Publication { channel: channel.clone(), ..it });
            let publications = publications.into_iter().map(here).collect();
            HistoryPage { channel, head, publications, more }
        },
    )
}

fn told_of_channel() -> impl Strategy<Value = Event> {
    prop_oneof![
        (channel(), position(), any::<u64>(), any::<bool>()).prop_map(
            |(channel, position, head, recovered)| {
                Event::Subscribed(Subscribed { channel, position, head, recovered })
            }
        ),
        (channel(), of((code(), of(sentence())))).prop_map(|(channel, why)| {
            let why = why.map(|(code, detail)| Refusal { code, detail, after: None });
            Event::Unsubscribed { channel, why }
        }),
        (channel(), any::<u128>(), position(), time(), any::<bool>()).prop_map(
            |(channel, id, position, time, duplicate)| {
                let id = PublicationId::from_bits(id);
                Event::Published { channel, appended: Appended { id, position, time, duplicate } }
            }
        ),
        publication().prop_map(|it| Event::Publication(Arc::new(it))),
        page().prop_map(Event::History),
        (channel(), vec(member(), 0..4), any::<u32>()).prop_map(|(channel, members, count)| {
            Event::Presence { channel, members, count: count as usize }
        }),
        (channel(), member()).prop_map(|(channel, member)| Event::Join { channel, member }),
        (channel(), member()).prop_map(|(channel, member)| Event::Leave { channel, member }),
        gap().prop_map(Event::Gap),
        (channel(), any::<u64>(), any::<u64>()).prop_map(|(channel, offset, head)| Event::Lagged {
            channel,
            offset,
            head
        }),
    ]
}

fn told_of_connection() -> impl Strategy<Value = Event> {
    prop_oneof![
        connected().prop_map(|it| Event::Connected(Box::new(it))),
        Just(Event::Ping),
        time().prop_map(|time| Event::Pong { time }),
        (of(channel()), of(time()))
            .prop_map(|(channel, expires)| Event::Refreshed { channel, expires }),
        (sentence(), time()).prop_map(|(grant, expires)| Event::Grant { grant, expires }),
        (of(channel()), refusal())
            .prop_map(|(channel, refusal)| Event::Refused { channel, refusal }),
        (code(), of(sentence()), after(), of(sentence())).prop_map(
            |(code, detail, after, node)| Event::Closing(Close { code, detail, after, node })
        ),
    ]
}

/// Any event a client may be told.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    (any::<u32>(), prop_oneof![told_of_channel(), told_of_connection()])
        .prop_map(|(id, event)| Answer { id, event })
}
