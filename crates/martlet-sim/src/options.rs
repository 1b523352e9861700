//! What kind of world a seed makes: its size, its limits and which troubles it knows. Every seed
//! switches some of them off altogether, so that each is also met without the noise of the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::{Access, ChannelName, Lagging, Limits, Namespace, Namespaces};
use martlet_core::session::{GrantKey, Rules};

use crate::dice::Dice;

/// The options of one world.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// How many workers each has.
    pub workers: u16,
    /// Whether the nodes share a store; else each has its own in memory, and knows no other.
    pub shared: bool,
    /// How many native clients.
    pub clients: usize,
    /// How many plain readers.
    pub plain: usize,
    /// The channels there are.
    pub channels: Vec<ChannelName>,
    /// The rules of sessions.
    pub rules: Arc<Rules>,
    /// How many things clients and backends do.
    pub deeds: usize,
    /// The longest pause between two of them.
    pub pause: Duration,
    /// The longest way between client and node, between workers, to the store and back, and
    /// between nodes.
    pub delays: Delays,
    /// How many bytes a connection takes before its server has to wait.
    pub capacity: usize,
    /// The largest data published.
    pub data_bytes: usize,
    /// How likely each trouble is, in a thousandth of the deeds.
    pub troubles: Troubles,
    /// How far nodes' wall clocks are from the truth, in milliseconds.
    pub skew_ms: i64,
}

/// Longest delays.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// Between client and node.
    pub link: Duration,
    /// Between workers.
    pub post: Duration,
    /// To the store, and back.
    pub store: Duration,
    /// Between nodes.
    pub node: Duration,
}

/// How likely each trouble is, in a thousandth.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles {
    /// A connection is cut.
    pub cut: u32,
    /// All connections are cut at once.
    pub storm: u32,
    /// A connection is stalled for a while, or read slowly.
    pub stall: u32,
    /// A connection swallows everything in silence.
    pub silent: u32,
    /// A node crashes.
    pub crash: u32,
    /// A node sends its clients away.
    pub drain: u32,
    /// The store does not answer well for a while.
    pub store_fails: u32,
    /// The store loses its newest publications.
    pub store_loses: u32,
    /// Two nodes cannot hear each other for a while.
    pub partition: u32,
    /// An announcement between nodes is lost; comes twice.
    pub lose: u32,
    /// An announcement between nodes comes twice.
    pub repeat: u32,
    /// A client sends nonsense.
    pub nonsense: u32,
    /// A node's wall clock jumps.
    pub jump: u32,
}

impl Options {
    /// The options that a seed makes.
    pub fn draw(dice: &mut Dice) -> Self {
        let shared = dice.chance(750);
        let nodes = if shared { dice.between(1, 3) } else { dice.between(1, 2) };
        let rules = Arc::new(rules(dice));
        Self {
            nodes,
            workers: dice.between(1, 3) as u16,
            shared,
            clients: dice.between(1, 6),
            plain: if dice.chance(400) { dice.between(1, 3) } else { 0 },
            channels: channels(dice),
            rules,
            deeds: dice.between(40, 240),
            pause: Duration::from_millis(dice.between(5, 400) as u64),
            delays: delays(dice),
            capacity: *dice.pick(&[256, 1_000, 4_000, 64_000]).unwrap_or(&64_000),
            data_bytes: *dice.pick(&[10, 200, 2_000]).unwrap_or(&10),
            troubles: troubles(dice),
            skew_ms: if dice.chance(300) { dice.between(0, 4_000) as i64 } else { 0 },
        }
    }
}

fn millis(dice: &mut Dice, low: usize, high: usize) -> Duration {
    Duration::from_millis(dice.between(low, high) as u64)
}

fn delays(dice: &mut Dice) -> Delays {
    Delays {
        link: millis(dice, 1, 200),
        post: millis(dice, 0, 5),
        store: millis(dice, 0, 100),
        node: millis(dice, 1, 150),
    }
}

fn troubles(dice: &mut Dice) -> Troubles {
    let mut draw = |most| if dice.chance(450) { dice.between(1, most) as u32 } else { 0 };
    Troubles {
        cut: draw(80),
        storm: draw(15),
        stall: draw(60),
        silent: draw(30),
        crash: draw(15),
        drain: draw(10),
        store_fails: draw(30),
        store_loses: draw(15),
        partition: draw(20),
        lose: draw(150),
        repeat: draw(150),
        nonsense: draw(15),
        jump: draw(10),
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let limits = Limits {
        data_bytes: 8_000,
        log_publications: *dice.pick(&[2, 8, 64, 4_096]).unwrap_or(&64),
        log_bytes: *dice.pick(&[600, 4_000, 1_000_000]).unwrap_or(&4_000),
        owed_bytes: *dice.pick(&[8_000, 64_000, 1_000_000]).unwrap_or(&64_000),
        commands_per_second: if dice.chance(200) { 5 } else { 1_000 },
        commands_burst: if dice.chance(200) { 10 } else { 1_000 },
        connect_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_secs(dice.between(3, 10) as u64),
        ..Limits::default()
    };
    Rules {
        namespaces: Arc::new(namespaces(dice)),
        limits,
        anonymous: true,
        ping: millis(dice, 3_000, 8_000),
        pong: millis(dice, 1_500, 3_000),
        expiry: millis(dice, 2_000, 15_000),
        grant_lifetime: millis(dice, 5_000, 60_000),
        grant_key: GrantKey::new(b"the key of the simulated cluster"),
    }
}

/// The namespaces: one for each way in which a channel can be odd.
const KINDS: [&str; 8] = ["keep", "short", "none", "brief", "room", "blind", "strict", "token"];

fn namespaces(dice: &mut Dice) -> Namespaces {
    let open = Namespace { presence: false, join_leave: false, ..Namespace::open() };
    let grace = millis(dice, 1_000, 6_000);
    let room = Namespace {
        presence: true,
        join_leave: true,
        presence_grace: grace,
        history_size: 30,
        ..open.clone()
    };
    let short = Namespace { history_size: dice.between(1, 5), ..open.clone() };
    let none = Namespace { history_size: 0, ..open.clone() };
    let brief = Namespace { history_age: millis(dice, 500, 5_000), ..open.clone() };
    let blind = Namespace { recovery: false, history_size: 20, ..open.clone() };
    let strict = Namespace { lagging: Lagging::Close, ..none.clone() };
    let token = Namespace { subscribe: Access::Users, publish: Access::Users, ..open.clone() };
    let all = [open, short, none, brief, room, blind, strict, token];
    let named: BTreeMap<_, _> = KINDS.iter().map(|kind| Box::from(*kind)).zip(all).collect();
    Namespaces { default: None, named, unnamed: None }
}

fn channels(dice: &mut Dice) -> Vec<ChannelName> {
    let mut channels: Vec<ChannelName> = Vec::new();
    for _ in 0..dice.between(1, 5) {
        let kind = dice.pick(&KINDS).unwrap_or(&"keep");
        let name = ChannelName::parse(&format!("{kind}:{}", dice.below(2)));
        let name = name.expect("a kind and a digit make a channel name");
        if !channels.contains(&name) {
            channels.push(name);
        }
    }
    channels
}
