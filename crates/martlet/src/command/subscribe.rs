//! `martlet sub`: follows channels and writes what happens in them, until it is told to stop.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::stream::{SelectAll, select_all};
use futures_util::{FutureExt, Stream, StreamExt};
use martlet_client::{
    ChannelName, Client, Cursor, Error, Options, Position, State, States, SubscribeOptions,
    SubscriptionEvent, Transport, UnixMillis, Wire,
};

use super::connection::{Connection, failure, runtime};
use crate::failure::Failure;

mod show;

use show::{Format, Style};

/// Follow channels
///
/// What comes from now on:        martlet sub news
///
/// The last ten minutes too:      martlet sub news scores --since 10m
///
/// As JSON, for another program:  martlet sub news --format json | jq .data
///
/// Publications go to standard output, one a line; gaps, lags and reconnects to standard error.
/// Ctrl-C ends it and says where to go on.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The channels
    #[arg(required_unless_present = "cursor")]
    channels: Vec<String>,

    /// Start in the past: an age such as 90s, 10m or 2h, or Unix milliseconds
    #[arg(long, value_parser = since)]
    since: Option<UnixMillis>,

    /// Go on where an earlier reader stopped
    #[arg(long, value_parser = cursor)]
    cursor: Option<Cursor>,

    /// How to connect
    #[arg(long, value_enum, default_value = "websocket")]
    transport: TransportName,

    /// Speak Protobuf instead of JSON; on a WebSocket only
    #[arg(long)]
    binary: bool,

    /// How publications are written [default: pretty on a terminal, else data]
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Stop after so many publications
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// A token of the application
    #[arg(long, env = "MARTLET_TOKEN", hide_env_values = true)]
    token: Option<String>,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TransportName {
    Websocket,
    Sse,
}

fn cursor(text: &str) -> Result<Cursor, String> {
    Cursor::parse(text).map_err(|error| error.to_string())
}

fn since(text: &str) -> Result<UnixMillis, String> {
    let age = |digits: &str, seconds: u64| {
        let age = digits.parse::<u64>().ok()?.checked_mul(seconds * 1_000)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Some(UnixMillis(u64::try_from(now).ok()?).minus_ms(age))
    };
    let read = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "s")) => age(digits, 1),
        Some((digits, "m")) => age(digits, 60),
        Some((digits, "h")) => age(digits, 3_600),
        Some((digits, "d")) => age(digits, 86_400),
        _ => text.parse().ok().map(UnixMillis),
    };
    read.ok_or_else(|| "give an age such as 90s, 10m or 2h, or Unix milliseconds".into())
}

/// Follows until told to stop.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.binary && arguments.transport == TransportName::Sse {
        return Err(Failure::wrong("an event stream carries text and no Protobuf")
            .hint("leave out --binary, or --transport sse"));
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let client = Client::new(&arguments.connection.url, arguments.options());
        let client = client.map_err(|error| failure(&error))?;
        let done = follow(&arguments, &client).await;
        client.close().await;
        done
    })
}

impl Arguments {
    fn options(&self) -> Options {
        Options {
            token: self.token.clone(),
            transport: match self.transport {
                TransportName::Websocket => Transport::WebSocket,
                TransportName::Sse => Transport::Sse,
            },
            wire: if self.binary { Wire::Proto } else { Wire::Json },
            tls: self.connection.tls(),
            agent: concat!("martlet-cli/", env!("CARGO_PKG_VERSION")).into(),
            ..Options::default()
        }
    }

    /// Each channel, and where to begin in it. The cursor names channels too.
    fn channels(&self) -> Result<BTreeMap<ChannelName, SubscribeOptions>, Failure> {
        let mut channels = BTreeMap::new();
        for text in &self.channels {
            let channel = ChannelName::parse(text).map_err(|e| failure(&Error::Channel(e)))?;
            let options = SubscribeOptions { since: self.since, ..SubscribeOptions::default() };
            channels.insert(channel, options);
        }
        for (channel, position) in self.cursor.iter().flat_map(Cursor::iter) {
            if self.channels.is_empty() || channels.contains_key(channel) {
                channels.insert(channel.clone(), SubscribeOptions::after(*position));
            }
        }
        Ok(channels)
    }
}

type Events =
    SelectAll<std::pin::Pin<Box<dyn Stream<Item = (ChannelName, SubscriptionEvent)> + Send>>>;

async fn subscribe(arguments: &Arguments, client: &Client) -> Result<Events, Failure> {
    let mut streams = Vec::new();
    for (channel, options) in arguments.channels()? {
        let subscription = client.subscribe(channel.as_str(), options).await;
        let subscription = subscription.map_err(|error| failure(&error))?;
        streams.push(subscription.map(move |event| (channel.clone(), event)).boxed());
    }
    Ok(select_all(streams))
}

/// What goes on until the end.
struct Following {
    style: Style,
    format: Format,
    limit: Option<u64>,
    count: u64,
    positions: BTreeMap<ChannelName, Position>,
    was_connected: bool,
    /// Why the last channel that ended did.
    refused: Option<Error>,
}

/// Why following ends without a failure.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// As many came as were wanted, or the reader of the output has gone.
    Enough,
    /// The person stopped it.
    Stopped,
}

async fn follow(arguments: &Arguments, client: &Client) -> Result<(), Failure> {
    let terminal = std::io::stdout().is_terminal();
    let fallback = if terminal { Format::Pretty } else { Format::Data };
    let mut following = Following {
        style: Style::new(terminal, arguments.channels.len() != 1),
        format: arguments.format.unwrap_or(fallback),
        limit: arguments.count,
        count: 0,
        positions: BTreeMap::new(),
        was_connected: false,
        refused: None,
    };
    let mut states = client.states();
    let mut events = subscribe(arguments, client).await?;
    client.start().await.map_err(|error| failure(&error))?;
    let end = following.run(&mut events, &mut states).await?;
    if end == End::Stopped {
        following.summary();
    }
    Ok(())
}

impl Following {
    async fn run(&mut self, events: &mut Events, states: &mut States) -> Result<End, Failure> {
        let mut stop = std::pin::pin!(stopped());
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return Ok(End::Stopped),
                state = states.next() => match state {
                    Some(state) => self.take_state(&state)?,
                    None => return Ok(End::Stopped),
                },
                event = events.next() => match event {
                    Some(event) => if self.take_ready(event, events)? { return Ok(End::Enough) },
                    None => return Err(self.refusal()),
                },
            }
        }
    }

    /// Writes an event and all that have come with it, in one write. True when it is enough.
    fn take_ready(
        &mut self,
        first: (ChannelName, SubscriptionEvent),
        events: &mut Events,
    ) -> Result<bool, Failure> {
        let mut text = String::new();
        let mut next = Some(first);
        while let Some((channel, event)) = next {
            self.take_event(&channel, event, &mut text);
            let full = self.limit.is_some_and(|limit| self.count >= limit);
            if full {
                write(&text)?;
                return Ok(true);
            }
            // A long run of events is written in pieces, so that little is held at once.
            next = if text.len() < 64 * 1024 { ready(events) } else { None };
        }
        write(&text)
    }

    fn take_event(&mut self, channel: &ChannelName, event: SubscriptionEvent, text: &mut String) {
        match event {
            SubscriptionEvent::Publication(publication) => {
                self.count += 1;
                self.positions.insert(channel.clone(), publication.position);
                self.style.publication(self.format, &publication, text);
            }
            SubscriptionEvent::Subscribed(told) => {
                self.positions.insert(channel.clone(), told.position);
            }
            SubscriptionEvent::Gap(gap) => {
                let reason = gap.reason.as_str();
                let (from, to) = (gap.from, gap.to.map_or("?".into(), |to| to.to_string()));
                self.positions.insert(channel.clone(), gap.resume);
                self.note(&format!("{channel}: {from} to {to} are missing ({reason})"));
            }
            SubscriptionEvent::Lagged { offset, head } => {
                self.note(&format!("{channel}: behind at {offset} of {head}, catching up"));
            }
            SubscriptionEvent::Join(member) => {
                self.style.member(self.format, channel, '+', &member, text)
            }
            SubscriptionEvent::Leave(member) => {
                self.style.member(self.format, channel, '-', &member, text)
            }
            SubscriptionEvent::Unsubscribed(refused) => self.take_refusal(channel, refused.into()),
            SubscriptionEvent::Error(error) => self.take_refusal(channel, error),
        }
    }

    fn take_refusal(&mut self, channel: &ChannelName, error: Error) {
        self.note(&format!("{channel}: {error}"));
        self.refused = Some(error);
    }

    /// Why no channel is left.
    fn refusal(&self) -> Failure {
        failure(self.refused.as_ref().unwrap_or(&Error::Closed))
    }

    fn take_state(&mut self, state: &State) -> Result<(), Failure> {
        match state {
            State::Connecting => {}
            State::Connected(_) => {
                if self.was_connected {
                    self.note("connected again");
                }
                self.was_connected = true;
            }
            State::Disconnected { why, retry_in: Some(wait) } if self.was_connected => {
                let wait = wait.as_secs_f64();
                self.note(&format!("{why}; trying again in {wait:.1} s"));
            }
            // A first try that fails is rather a wrong address than a bad moment.
            State::Disconnected { why, .. } => return Err(failure(why)),
        }
        Ok(())
    }

    fn note(&self, text: &str) {
        // Nobody is left to be told when standard error itself is closed.
        let _ = writeln!(std::io::stderr(), "martlet: {}", show::harmless(text));
    }

    fn summary(&self) {
        let positions = self.positions.iter().map(|(c, p)| (c.clone(), *p)).collect();
        let cursor = Cursor::new(positions).to_string();
        let plural = if self.count == 1 { "" } else { "s" };
        let mut text = format!("{} publication{plural}", self.count);
        if !cursor.is_empty() {
            text.push_str(&format!("; go on with --cursor '{cursor}'"));
        }
        self.note(&text);
    }
}

/// The next event, if there is one now.
fn ready(events: &mut Events) -> Option<(ChannelName, SubscriptionEvent)> {
    events.next().now_or_never().flatten()
}

/// Writes to standard output. True when its reader has gone, which is no failure.
fn write(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(Failure::failed(format!("standard output cannot be written: {error}"))),
    }
}

/// Ends when the person or the system says stop.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Ctrl-C alone is left.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
