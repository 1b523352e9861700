//! One connection that follows channels, on any route. It reads only when it is asked for the
//! next event, so that a test decides how slow its readers are; and it believes nothing: every
//! carrier is read by other code than the server writes it with.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use martlet_client::{ChannelName, Cursor, Gap, GapReason, Position, Start};
use martlet_core::session::{Answer, Command, Connect, Event, Numbered, Subscribe};
use martlet_protocol::native::{json, proto};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use crate::node::soon;
use crate::route::Route;

mod deflated;
mod events;
mod formats;
mod polls;
mod streams;
mod tungsten;

pub use events::PlainEvent;
use formats::Format;
use polls::Polls;
use streams::{Request, Stream};

/// What a follower was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A channel is followed from here on.
    Begun { channel: String, position: Position, recovered: bool },
    /// The publication number `n` of a channel, and what the wire says about its place.
    Publication { channel: String, n: u64, position: Position },
    /// Publications that cannot be had any more.
    Gap(Gap),
    /// It fell behind.
    Lagged { channel: String, offset: u64 },
    /// It was refused something, with this code.
    Refused(u16),
    /// The server ends the connection.
    Close { code: u16, reconnect: bool, after: Option<u64> },
    /// The connection ended.
    Ended(End),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a close frame of this code.
    Closed(u16),
    /// With the last chunk, or the end of the stream.
    Whole,
    /// Without a word.
    Cut,
}

/// A request for a stream that was answered by a status instead.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnedAway {
    pub status: u16,
    pub error: Value,
}

enum Carrier {
    Tungsten(Box<tungsten::Socket>),
    Deflated(deflated::Socket),
    Stream(Stream),
    Polls(Polls),
}

/// What a carrier brings.
enum Came {
    Frame(Vec<u8>),
    Event(PlainEvent),
    Ended(End),
}

/// A connection.
pub struct Link {
    route: Route,
    carrier: Carrier,
    seen: VecDeque<Seen>,
    /// What the ids of a plain stream have said.
    places: BTreeMap<String, Position>,
    /// How many signs of life came: pings of the protocol, and comments.
    pub beats: usize,
}

impl Link {
    /// Follows channels, each from its start.
    pub async fn open(
        address: SocketAddr,
        route: Route,
        wishes: &[(String, Start)],
    ) -> Result<Self, TurnedAway> {
        let carrier = soon("a connection", dial(address, route, wishes)).await?;
        let (seen, places) = (VecDeque::new(), BTreeMap::new());
        let mut link = Self { route, carrier, seen, places, beats: 0 };
        if !route.native() {
            link.begin_plain(wishes.len()).await;
        }
        Ok(link)
    }

    /// The next thing that a follower cares for.
    pub async fn next(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return seen;
            }
            self.take_in().await;
        }
    }

    /// The same, which has to come.
    pub async fn soon(&mut self) -> Seen {
        let what = format!("the next event on {:?}", self.route);
        soon(&what, self.next()).await
    }

    /// How many messages were deflated.
    pub fn deflated(&self) -> usize {
        match &self.carrier {
            Carrier::Deflated(socket) => socket.deflated,
            _ => 0,
        }
    }

    async fn take_in(&mut self) {
        let came = match &mut self.carrier {
            Carrier::Tungsten(socket) => socket.next().await,
            Carrier::Deflated(socket) => socket.next().await,
            Carrier::Stream(stream) => match stream.next().await {
                Ok(event) => Came::Event(event),
                Err(end) => Came::Ended(end),
            },
            Carrier::Polls(polls) => polls.next().await,
        };
        match came {
            Came::Ended(end) => self.seen.push_back(Seen::Ended(end)),
            Came::Frame(frame) => self.take_frame(&frame),
            Came::Event(event) if event.comment => self.beats += 1,
            Came::Event(event) if self.route.native() => {
                assert_eq!((&event.id, &event.name), (&None, &None), "{event:?}");
                if let Some(data) = event.data {
                    self.take_frame(data.as_bytes());
                }
            }
            Came::Event(event) => self.take_plain(event),
        }
    }

    fn take_frame(&mut self, frame: &[u8]) {
        let (seen, beats) = (&mut self.seen, &mut self.beats);
        let sink = |answer: Answer| match answer.event {
            Event::Ping => *beats += 1,
            event => seen.extend(seen_of(event)),
        };
        match self.route {
            Route::SocketProto => proto::decode_answer(frame, sink).unwrap(),
            _ => json::decode_answer(frame, sink).unwrap(),
        }
    }

    /// A plain stream begins with its cursor, by itself.
    async fn begin_plain(&mut self, channels: usize) {
        while self.places.is_empty() {
            soon("the first cursor", self.take_in()).await;
        }
        assert_eq!(self.places.len(), channels, "the first cursor is of all channels");
    }

    fn take_plain(&mut self, event: PlainEvent) {
        let cursor = event.id.as_deref().map(|id| Cursor::parse(id).unwrap());
        let moved = cursor.map(|cursor| self.follow(&cursor)).unwrap_or_default();
        let Some(data) = event.data else {
            let begun = |(channel, position)| Seen::Begun { channel, position, recovered: true };
            return self.seen.extend(moved.into_iter().map(begun));
        };
        let data: Value = serde_json::from_str(&data).unwrap();
        let seen = match event.name.as_deref() {
            Some("gap") => Seen::Gap(gap_of(&data)),
            Some("lagged") => Seen::Lagged {
                channel: text(&data["channel"]),
                offset: data["offset"].as_u64().unwrap(),
            },
            Some("error") => Seen::Refused(data["code"].as_u64().unwrap() as u16),
            Some("close") => {
                let after = data["after"].as_u64();
                let (retry, least) = (event.retry, after.map(|after| after + 250));
                assert!(retry.is_none() || retry == least, "{retry:?} ms to an EventSource");
                Seen::Close {
                    code: data["code"].as_u64().unwrap() as u16,
                    reconnect: data["reconnect"].as_bool().unwrap(),
                    after,
                }
            }
            _ => {
                let [(channel, position)] = &moved[..] else {
                    panic!("an id moves one channel, not {moved:?}");
                };
                assert_eq!(data["c"], **channel);
                let (channel, position) = (channel.clone(), *position);
                Seen::Publication { channel, n: data["n"].as_u64().unwrap(), position }
            }
        };
        self.seen.push_back(seen);
    }

    /// Takes in a cursor; answers what it moved.
    fn follow(&mut self, cursor: &Cursor) -> Vec<(String, Position)> {
        let known = cursor.iter().map(|(name, position)| (name.to_string(), *position));
        let moved = known.filter(|(name, position)| {
            self.places.insert(name.clone(), *position) != Some(*position)
        });
        moved.collect()
    }
}

/// A connection whose kernel takes in little for it, so that who does not read is seen to.
async fn connected(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    let stream = socket.connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn dial(
    address: SocketAddr,
    route: Route,
    wishes: &[(String, Start)],
) -> Result<Carrier, TurnedAway> {
    Ok(match route {
        Route::SocketJson | Route::SocketProto | Route::SocketHttp2 => {
            let frame = connect(route, wishes);
            Carrier::Tungsten(Box::new(tungsten::Socket::open(address, route, frame).await))
        }
        Route::SocketDeflated => {
            Carrier::Deflated(deflated::Socket::open(address, connect(route, wishes)).await)
        }
        Route::Polls | Route::Scripts => {
            let first = Ok(connect(route, wishes));
            Carrier::Polls(Polls::open(address, route == Route::Scripts, first).await?)
        }
        Route::PlainPolls => {
            let (query, cursor) = query(wishes);
            let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let path = format!("/v1/poll?{query}{cursor}");
            Carrier::Polls(Polls::open(address, false, Err(path)).await?)
        }
        _ => Carrier::Stream(Stream::open(address, request(route, wishes)).await?),
    })
}

/// The request for a stream.
fn request(route: Route, wishes: &[(String, Start)]) -> Request {
    let native = route.native();
    let (path, format) = match route {
        Route::Lines | Route::PlainLines => ("/v1/stream?limit=0&", Format::lines(native)),
        Route::Html | Route::PlainHtml => {
            ("/v1/htmlfile?callback=a&limit=0&", Format::scripts(native))
        }
        Route::Parts => ("/v1/multipart?", Format::parts()),
        _ => ("/v1/sse?", Format::events()),
    };
    let http2 = route.http2();
    if native {
        let path = format!("{path}protocol=martlet.v1.json");
        let body = Some(connect(route, wishes));
        return Request { http2, path, last_event_id: None, body, format };
    }
    let (query, last_event_id) = query(wishes);
    Request { http2, path: format!("{path}{query}"), last_event_id, body: None, format }
}

/// The first frame of a native client.
fn connect(route: Route, wishes: &[(String, Start)]) -> Vec<u8> {
    let subscribe = wishes.iter().map(|(channel, start)| Subscribe {
        channel: ChannelName::parse(channel).unwrap(),
        token: None,
        start: *start,
    });
    let connect = Connect { subscribe: subscribe.collect(), ..Connect::default() };
    let numbered = Numbered { id: 1, command: Command::Connect(connect) };
    let mut frame = Vec::new();
    match route {
        Route::SocketProto => proto::encode_command(&numbered, &mut frame),
        _ => json::encode_command(&numbered, &mut frame),
    }
    frame
}

/// The query of a plain reader, and its cursor.
fn query(wishes: &[(String, Start)]) -> (String, Option<String>) {
    let mut path = String::new();
    let mut positions = Vec::new();
    for (channel, start) in wishes {
        path.push_str(&format!("channel={channel}&"));
        match start {
            Start::Now => {}
            Start::After(position) => {
                positions.push((ChannelName::parse(channel).unwrap(), *position));
            }
            Start::Since(time) => path.push_str(&format!("since={}&", time.0)),
        }
    }
    let cursor = Cursor::new(positions).to_string();
    (path, Some(cursor).filter(|cursor| !cursor.is_empty()))
}

fn seen_of(event: Event) -> Option<Seen> {
    match event {
        Event::Subscribed(it) => Some(Seen::Begun {
            channel: it.channel.to_string(),
            position: it.position,
            recovered: it.recovered,
        }),
        Event::Publication(it) => {
            let martlet_client::Data::Json(data) = &it.data else { panic!("{it:?}") };
            let data: Value = serde_json::from_slice(data).unwrap();
            assert_eq!(data["c"], it.channel.as_str());
            let n = data["n"].as_u64().unwrap();
            Some(Seen::Publication { channel: it.channel.to_string(), n, position: it.position })
        }
        Event::Gap(gap) => Some(Seen::Gap(gap)),
        Event::Lagged { channel, offset, .. } => {
            Some(Seen::Lagged { channel: channel.to_string(), offset })
        }
        Event::Refused { refusal, .. } => Some(Seen::Refused(refusal.code.number())),
        Event::Closing(close) => Some(Seen::Close {
            code: close.code.number(),
            reconnect: close.reconnect(),
            after: close.after.map(|after| after.as_millis() as u64),
        }),
        Event::Connected(_) | Event::Join { .. } | Event::Leave { .. } => None,
        other => panic!("{other:?}"),
    }
}

fn gap_of(data: &Value) -> Gap {
    Gap {
        channel: ChannelName::parse(data["channel"].as_str().unwrap()).unwrap(),
        from: data["from"].as_u64().unwrap(),
        to: data["to"].as_u64(),
        reason: GapReason::parse(data["reason"].as_str().unwrap()).unwrap(),
        resume: Position {
            epoch: martlet_client::Epoch::parse(data["epoch"].as_str().unwrap()).unwrap(),
            offset: data["offset"].as_u64().unwrap(),
        },
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
