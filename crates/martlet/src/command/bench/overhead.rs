//! `martlet bench overhead`: how many bytes each transport puts on the wire for the same messages,
//! beside a client that asks again and again. Bytes are counted at the client's socket: HTTP and
//! WebSocket with all their headers and framing, without those of TCP and TLS.

use std::time::Duration;

use martlet_client::{Api, Message};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::beside::Beside;
use super::report::{Report, Row, count};
use super::target::{Target, TargetArguments, targets};
use crate::failure::Failure;

mod client;
mod dialect;
mod way;

use client::{Client, Pace};
use way::Way;

/// How long a message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes on the wire, for each transport
///
/// The whole table, in a little more than a minute:  martlet bench overhead
///
/// Three columns are each counted both ways: a hundred messages, each sent when the one before
/// has arrived; a minute of 1,000 clients that wait; a minute of 1,000 clients that get a message
/// a second. One client of each transport is measured, and the last two are multiplied.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many messages are sent one by one
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,

    /// How long clients wait, or get a message a second, in seconds; reported as a minute
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// How long the data of a message is, in bytes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(20..=32_768))]
    payload: u32,

    /// How often a client asks that polls without waiting, in milliseconds
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    interval: u64,

    /// Send requests with no more headers than they need. Otherwise they have those of Chromium
    #[arg(long)]
    lean: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    messages: u32,
    seconds: u64,
    payload: u32,
    interval_ms: u64,
    lean: bool,
}

/// Bytes each way.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Bytes {
    /// From the client.
    pub up: f64,
    /// To the client.
    pub down: f64,
}

impl Bytes {
    fn since(self, before: Self) -> Self {
        Self { up: self.up - before.up, down: self.down - before.down }
    }

    fn times(self, factor: f64) -> Self {
        Self { up: self.up * factor, down: self.down * factor }
    }

    fn total(self) -> f64 {
        self.up + self.down
    }
}

/// What was counted of one transport.
#[derive(Debug, Serialize)]
struct Measured {
    transport: &'static str,
    /// To begin: until the client follows its channel.
    begin: Bytes,
    /// For the messages sent one by one.
    messages: Bytes,
    /// For a minute of 1,000 clients that wait.
    idle_minute: Bytes,
    /// For a minute of 1,000 clients that get a message a second.
    busy_minute: Bytes,
    /// The same, both ways together, divided by that of short polling.
    busy_beside_short_polling: Option<f64>,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "begin up",
        "down",
        "messages up",
        "down",
        "idle minute up",
        "down",
        "busy minute up",
        "down",
        "busy / short poll",
    ];

    fn cells(&self) -> Vec<String> {
        let columns = [self.begin, self.messages, self.idle_minute, self.busy_minute];
        let bytes = columns.iter().flat_map(|bytes| [count(bytes.up), count(bytes.down)]);
        let ratio = self.busy_beside_short_polling.map_or("-".into(), |it| format!("{it:.3}"));
        std::iter::once(self.transport.to_owned()).chain(bytes).chain([ratio]).collect()
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let targets = targets(&arguments.target, &Beside::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let results = runtime.block_on(measure(arguments, &targets[0]))?;
    let Arguments { messages, seconds, payload, interval, lean, .. } = *arguments;
    let settings = Settings { messages, seconds, payload, interval_ms: interval, lean };
    let title = format!(
        "overhead: {messages} messages of {payload} bytes one by one; 1,000 clients for a minute, \
         idle and with a message a second"
    );
    let mut report = Report::new("overhead", title, settings, &targets);
    report.notes.push("bytes of HTTP and WebSocket; those of TCP and TLS come on top".into());
    if !lean {
        report.notes.push("requests have the headers of Chromium, and no cookies".into());
    }
    report.results = results;
    report.print(arguments.json)
}

async fn measure(arguments: &Arguments, target: &Target) -> Result<Vec<Measured>, Failure> {
    let api = Api::new(&target.about().url, target.door.key.as_deref())
        .map_err(|error| Failure::failed(error.to_string()))?;
    let mut results = Vec::new();
    for (i, way) in Way::ALL.into_iter().enumerate() {
        results.push(one_by_one(arguments, target, &api, way, i).await?);
    }
    a_while(arguments, target, &api, &mut results).await?;
    let short = results.iter().find(|it| it.transport == Way::ShortPoll.name());
    let short = short.map(|it| it.busy_minute.total()).filter(|total| *total > 0.0);
    for result in &mut results {
        result.busy_beside_short_polling = short.map(|it| result.busy_minute.total() / it);
    }
    Ok(results)
}

/// Sends messages to one client, each when the one before has arrived.
async fn one_by_one(
    arguments: &Arguments,
    target: &Target,
    api: &Api,
    way: Way,
    channel: usize,
) -> Result<Measured, Failure> {
    let pace = if way == Way::ShortPoll { Pace::WhenAsked } else { Pace::AtOnce };
    let mut client = Client::open(&target.door, way, channel, pace, arguments.lean).await?;
    let begin = client.bytes();
    let name = target.door.channel(channel);
    for n in 1..=arguments.messages {
        publish(api, &name, arguments.payload).await?;
        client.ask_now();
        let arrived = timeout(PATIENCE, client.until(n as usize)).await;
        let lost = || Failure::failed(format!("{}: message {n} did not come", way.name()));
        arrived.map_err(|_| lost())??;
    }
    Ok(Measured {
        transport: way.name(),
        begin,
        messages: client.bytes().since(begin),
        idle_minute: Bytes::default(),
        busy_minute: Bytes::default(),
        busy_beside_short_polling: None,
    })
}

/// Lets one client of each transport wait, and another get a message a second, all at once.
async fn a_while(
    arguments: &Arguments,
    target: &Target,
    api: &Api,
    results: &mut [Measured],
) -> Result<(), Failure> {
    let pace = Pace::Every(Duration::from_millis(arguments.interval));
    let (quiet, busy) = (Way::ALL.len(), Way::ALL.len() + 1);
    let mut clients = Vec::new();
    for way in Way::ALL {
        let pace = if way == Way::ShortPoll { pace } else { Pace::AtOnce };
        for channel in [quiet, busy] {
            clients.push(Client::open(&target.door, way, channel, pace, arguments.lean).await?);
        }
    }
    let before: Vec<Bytes> = clients.iter().map(Client::bytes).collect();
    let (name, end) =
        (target.door.channel(busy), Instant::now() + Duration::from_secs(arguments.seconds));
    let mut second = tokio::time::interval_at(Instant::now(), Duration::from_secs(1));
    while second.tick().await < end {
        super::interrupt::check()?;
        publish(api, &name, arguments.payload).await?;
    }
    let minute = 1_000.0 * 60.0 / arguments.seconds as f64;
    let spent: Vec<Bytes> = clients
        .iter()
        .zip(before)
        .map(|(client, before)| client.bytes().since(before).times(minute))
        .collect();
    for (result, spent) in results.iter_mut().zip(spent.chunks_exact(2)) {
        (result.idle_minute, result.busy_minute) = (spent[0], spent[1]);
    }
    Ok(())
}

async fn publish(api: &Api, channel: &str, payload: u32) -> Result<(), Failure> {
    let mark = client::MARK;
    let data = format!("{mark}{}", "x".repeat(payload as usize - mark.len() - 2));
    let message = Message::json(&data).map_err(|error| Failure::failed(error.to_string()))?;
    let published = api.publish(channel, message).await;
    published.map(|_| ()).map_err(|error| Failure::failed(error.to_string()))
}
