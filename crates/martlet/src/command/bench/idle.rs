//! `martlet bench idle`: what a connection costs that only waits, in memory and in CPU.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::beside::Beside;
use super::crowd::Crowd;
use super::dialect::Transport;
use super::process::KernelMemory;
use super::report::{Report, Row, count};
use super::target::{Course, Target, TargetArguments};
use super::{PARALLEL, files, opening_patience};
use crate::failure::Failure;

/// Clients that only wait, with one subscription each
///
/// 10,000 of them:           martlet bench idle --connections 10000
///
/// By two other transports:  martlet bench idle --transport sse --transport poll
///
/// A tenth of them comes before the memory is first looked at, so that what a server allots once
/// does not count.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many wait
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    connections: u32,

    /// How many channels they share
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    channels: u32,

    /// How long they wait, in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// How they connect to martlet; repeat it for several, each of which has a server of its own
    #[arg(long, value_enum, default_value = "websocket")]
    transport: Vec<Transport>,

    #[command(flatten)]
    beside: Beside,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    connections: usize,
    channels: usize,
    seconds: u64,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    connections: usize,
    /// The server's own memory for one connection.
    bytes_per_connection: Option<f64>,
    /// Memory of the kernel for one connection: both ends, when the server is on this machine.
    kernel_bytes_per_connection: Option<f64>,
    /// The server's own memory at the end.
    memory_bytes: Option<u64>,
    /// CPU time for one connection in one second of waiting.
    cpu_us_per_connection_second: Option<f64>,
    /// How many cores the server used while all waited.
    server_cores: Option<f64>,
    failed: usize,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &[
        "",
        "connections",
        "bytes/connection",
        "kernel, both ends",
        "all memory",
        "CPU/connection/s",
        "of a core",
        "failed",
    ];

    fn cells(&self) -> Vec<String> {
        let maybe = |value: Option<f64>| value.map_or("-".into(), count);
        let cpu = self.cpu_us_per_connection_second;
        vec![
            self.server.clone(),
            count(self.connections as f64),
            maybe(self.bytes_per_connection),
            maybe(self.kernel_bytes_per_connection),
            maybe(self.memory_bytes.map(|bytes| bytes as f64)),
            cpu.map_or("-".into(), |cpu| format!("{cpu:.3} µs")),
            self.server_cores.map_or("-".into(), |cores| format!("{:.2} %", cores * 100.0)),
            count(self.failed as f64),
        ]
    }
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (clients, note) = files::affordable(arguments.connections as usize, 1);
    // What one crowd has left behind, the next one's memory would be taken from.
    let course = Course { transports: &arguments.transport, apart: true, ..Course::default() };
    let targets = course.targets(&arguments.target, &arguments.beside)?;
    let (channels, seconds) = (arguments.channels as usize, arguments.seconds);
    let settings = Settings { connections: clients, channels, seconds };
    let title = format!("idle: {clients} connections, {channels} channels, {seconds} s");
    let mut report = Report::new("idle", title, settings, &targets);
    report.notes.extend(note);
    if arguments.transport.len() > 1 && arguments.target.url.is_some() {
        let why = "the server of --url may use memory again that the transport before has left";
        report.notes.push(why.into());
    }
    for (i, target) in targets.iter().enumerate() {
        let mut crowd = Crowd::new(&target.door, channels)?;
        let mut measured = wait(target, &mut crowd, clients, channels, seconds)?;
        if i > 0 {
            // The kernel uses again what it has kept of the sockets before.
            measured.kernel_bytes_per_connection = None;
        }
        report.notes.extend(crowd.failure_notes(&target.name));
        report.results.push(measured);
    }
    report.print(arguments.json)
}

fn wait(
    target: &Target,
    crowd: &mut Crowd,
    clients: usize,
    channels: usize,
    seconds: u64,
) -> Result<Measured, Failure> {
    let memory = || target.memory();
    let patience = opening_patience(clients);
    let first = clients.div_ceil(10);
    let channel = |i: usize| Some(i % channels);
    crowd.open((0..first).map(channel), PARALLEL, patience)?;
    settle(crowd, Duration::from_secs(1))?;
    let (before, kernel) = (memory(), KernelMemory::now());
    let opened = crowd.open((first..clients).map(channel), PARALLEL, patience)?;
    if opened.opened == 0 {
        return Err(Failure::failed(crowd.first_failure()));
    }
    settle(crowd, Duration::from_secs(1))?;
    let (cpu, begun) = (target.cpu(), Instant::now());
    settle(crowd, Duration::from_secs(seconds))?;
    let waited = begun.elapsed().as_secs_f64();
    let spent = target.cpu().zip(cpu);
    let spent = spent.map(|(after, before)| after.saturating_sub(before).as_secs_f64() * 1e6);
    let failed: usize = crowd.failures.values().sum();
    let connections = crowd.len() - failed.min(crowd.len());
    let each = |bytes: f64| bytes / opened.opened as f64;
    Ok(Measured {
        server: target.name.clone(),
        connections,
        bytes_per_connection: memory().zip(before).map(|(a, b)| each(a as f64 - b as f64)),
        kernel_bytes_per_connection: KernelMemory::now()
            .zip(kernel)
            .map(|(after, before)| each(after.total() - before.total())),
        memory_bytes: memory(),
        server_cores: spent.map(|cpu| cpu / 1e6 / waited),
        cpu_us_per_connection_second: spent.map(|cpu| cpu / waited / connections.max(1) as f64),
        failed,
    })
}

impl KernelMemory {
    fn total(self) -> f64 {
        (self.slab + self.tcp_buffers) as f64
    }
}

/// Lets time pass, in which clients only answer pings.
fn settle(crowd: &mut Crowd, lasting: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    while begun.elapsed() < lasting {
        crowd.turn(lasting.saturating_sub(begun.elapsed()))?;
    }
    Ok(())
}
