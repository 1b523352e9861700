//! The counts of all workers, added up, in the format that Prometheus reads.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::memory::{Memory, MemoryStats};
use crate::worker::WorkerStats;

/// How things are on each worker.
#[derive(Debug)]
struct Workers(Vec<WorkerStats>);

/// What is known of the node as a whole.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// How many nodes live, this one too.
    pub nodes: usize,
    /// Whether publications come through the engine.
    pub engine: bool,
    /// Whether it lets its clients go.
    pub draining: bool,
    /// Its memory.
    pub memory: &'a Memory,
}

/// Writes the counts: of the workers, and of the node as a whole.
pub fn exposition(stats: Vec<WorkerStats>, whole: Whole<'_>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("martlet");
    registry.register_collector(Box::new(Workers(stats)));
    registry.register_collector(Box::new(Short::of(whole.memory)));
    for (name, help, value) in [
        ("nodes", "Nodes that live, this one too", whole.nodes as i64),
        ("engine_good", "Whether publications come through the engine", whole.engine.into()),
        ("draining", "Whether the node lets its clients go", whole.draining.into()),
    ] {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let mut out = String::new();
    encode(&mut out, &registry)?;
    Ok(out)
}

/// A count: its name, what it counts, and where it is found.
type Count = (&'static str, &'static str, fn(&WorkerStats) -> u64);

const COUNTERS: &[Count] = &[
    ("connections_opened", "Connections that became sessions", |s| s.counters.opened),
    ("clients_connected", "Clients let in", |s| s.counters.connected),
    ("sessions_closed", "Sessions ended by the server", |s| s.counters.closed),
    ("frames_received", "Frames of clients", |s| s.counters.frames),
    ("writes", "Calls that wrote to connections", |s| s.counters.writes),
    ("sent_bytes", "Bytes written to connections", |s| s.counters.bytes_out),
    ("readers_lagged", "Times a reader fell behind its channel's log", |s| s.counters.lagged),
    ("readers_cut", "Connections cut because they took no bytes", |s| s.counters.slow),
    ("clients_let_go", "Clients let go because the node is to stop", |s| s.counters.let_go),
    ("clients_put_off", "Clients told to come later because too many came", |s| s.counters.put_off),
    ("publications", "Publications that the store took", |s| s.shard.published),
    ("publications_repeated", "Publications recognised as repeats", |s| s.shard.duplicates),
    ("requests_refused", "Requests to channels that were refused", |s| s.shard.refused),
    ("stream_jumps", "Times the stream of a channel jumped", |s| s.shard.jumps),
];

const GAUGES: &[Count] = &[
    ("sessions", "Sessions, with and without a connection", |s| s.sessions as u64),
    ("connections", "Sessions that a connection carries", |s| s.attached as u64),
    ("handshakes", "Connections that have yet to say who they are", |s| s.handshakes as u64),
    ("channels", "Channels that are followed or have members", |s| s.shard.channels as u64),
    ("log_bytes", "Bytes held for readers who are behind", |s| s.log_bytes as u64),
];

impl Collector for Workers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, count) in COUNTERS {
            let metric = ConstCounter::new(self.sum(*count));
            let to = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(to)?;
        }
        for (name, help, count) in GAUGES {
            let metric = ConstGauge::new(self.sum(*count) as i64);
            let to = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(to)?;
        }
        Ok(())
    }
}

impl Workers {
    fn sum(&self, count: fn(&WorkerStats) -> u64) -> u64 {
        self.0.iter().map(count).sum()
    }
}

/// How short of memory the node is, and what it has given up.
#[derive(Debug)]
struct Short {
    stats: MemoryStats,
    shed: [(&'static str, u64); 5],
    history_bytes: u64,
}

impl Short {
    fn of(memory: &Memory) -> Self {
        let shed = &memory.shed;
        let counts = [
            ("logs", &shed.logs),
            ("newcomers", &shed.newcomers),
            ("clients", &shed.clients),
            ("publications", &shed.publications),
            ("bodies", &shed.bodies),
        ];
        Self {
            stats: memory.stats(),
            shed: counts.map(|(what, count)| (what, count.load(Relaxed))),
            history_bytes: shed.history_bytes.load(Relaxed),
        }
    }

    fn kinds(&self) -> [(&'static str, usize); 7] {
        let MemoryStats { held, letters, bodies, other, .. } = self.stats;
        [
            ("histories", held.histories),
            ("logs", held.logs),
            ("queues", held.queues),
            ("sessions", held.sessions),
            ("letters", letters),
            ("bodies", bodies),
            ("other", other),
        ]
    }
}

impl Collector for Short {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, value) in [
            ("memory_budget_bytes", "Memory that the node may take", self.stats.budget as i64),
            ("memory_level", "How short of memory it is: 0 calm to 5", self.stats.level as i64),
        ] {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let help = "Memory that the node takes, by what for";
        let mut family =
            encoder.encode_descriptor("memory_bytes", help, None, MetricType::Gauge)?;
        for (kind, bytes) in self.kinds() {
            ConstGauge::new(bytes as i64).encode(family.encode_family(&[("kind", kind)])?)?;
        }
        let help = "What was given up for want of memory";
        let mut family = encoder.encode_descriptor("shed", help, None, MetricType::Counter)?;
        for (what, count) in self.shed {
            ConstCounter::new(count).encode(family.encode_family(&[("what", what)])?)?;
        }
        let help = "Bytes of histories that went before their time for want of memory";
        let metric = ConstCounter::new(self.history_bytes);
        let to =
            encoder.encode_descriptor("shed_history_bytes", help, None, metric.metric_type())?;
        metric.encode(to)
    }
}
