//! Several nodes behind one Redis, all started for the run. What is measured of them is the
//! subcommands' business.

use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::dialect::Kind;
use super::started::free_port;
use super::target::{Target, TargetArguments};
use crate::failure::Failure;

mod centrifugo;
mod store;

pub use store::Store;

/// What every channel of a fleet is: it keeps as much as Centrifugo's do (see there).
const CHANNELS: &str =
    r#"{ subscribe = "anyone", publish = "anyone", history_size = 100, history_age = "5m" }"#;

/// Who takes part, and by which programs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Servers")]
pub struct FleetArguments {
    /// The program of Redis, 7 or newer. One is started for each fleet
    #[arg(long, default_value = "redis-server", value_name = "PROGRAM")]
    redis_server: String,

    /// The program of Centrifugo: as many of its nodes take turns with martlet's, behind a Redis
    /// of the same kind
    #[arg(long, value_name = "PROGRAM")]
    centrifugo: Option<String>,

    /// Set a key of the configuration of martlet's nodes; repeat it for several
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Let the scheduler place servers and generator. Otherwise the generator gets the last core,
    /// and the servers get the others
    #[arg(long)]
    pub no_pin: bool,
}

/// Nodes, and their Redis.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The nodes.
    pub nodes: Vec<Target>,
    /// All of it, as one server: its processes are those of the nodes and of Redis.
    pub whole: Target,
    /// Redis.
    pub store: Rc<Store>,
}

impl Fleet {
    fn new(name: &str, nodes: Vec<Target>, store: Rc<Store>) -> Result<Self, Failure> {
        let whole = Target::whole(name, &nodes, &store.process().pids);
        let whole = whole.ok_or_else(|| Failure::wrong("a fleet has a node at the least"))?;
        Ok(Self { nodes, whole, store })
    }

    /// The CPU time of its nodes, and that of Redis.
    pub fn cpu(&self) -> Option<(Duration, Duration)> {
        let store = self.store.process().cpu()?;
        Some((self.whole.cpu()?.saturating_sub(store), store))
    }
}

impl FleetArguments {
    /// For martlets only, behind a Redis of this program.
    pub fn of_martlets(redis_server: &str, set: Vec<String>) -> Self {
        Self { redis_server: redis_server.to_owned(), centrifugo: None, set, no_pin: false }
    }

    /// Starts so many nodes of each kind, with so many workers each.
    pub fn fleets(&self, nodes: u32, workers: u32) -> Result<Vec<Fleet>, Failure> {
        let mut fleets = vec![self.martlets(nodes, workers)?];
        if let Some(program) = &self.centrifugo {
            fleets.push(self.centrifugos(program, nodes)?);
        }
        let doors = fleets.iter_mut().flat_map(|fleet| &mut fleet.nodes);
        doors.enumerate().for_each(|(number, node)| node.door.number = number);
        Ok(fleets)
    }

    /// A Redis with nobody.
    pub fn store(&self) -> Result<Store, Failure> {
        Store::start(&self.redis_server)
    }

    /// Martlets behind a Redis of their own.
    pub fn martlets(&self, nodes: u32, workers: u32) -> Result<Fleet, Failure> {
        let store = Rc::new(self.store()?);
        let all = (0..nodes).map(|_| self.martlet(workers, Some(&store)));
        Fleet::new("martlet", all.collect::<Result<_, _>>()?, store)
    }

    /// A martlet behind this Redis, or alone.
    pub fn martlet(&self, workers: u32, store: Option<&Store>) -> Result<Target, Failure> {
        let mut set =
            vec![format!("channels.default={CHANNELS}"), format!("channels.unnamed={CHANNELS}")];
        set.extend(store.map(|store| format!("engine.address=redis://{}", store.host())));
        set.extend(self.set.iter().cloned());
        TargetArguments::of_started(set).martlet("martlet", workers)
    }

    fn centrifugos(&self, program: &str, nodes: u32) -> Result<Fleet, Failure> {
        let store = Rc::new(self.store()?);
        let all = (0..nodes).map(|_| {
            let port = free_port().map_err(|error| Failure::failed(format!("no port: {error}")))?;
            let (mut command, key) = (Command::new(program), "bench");
            command.envs(centrifugo::environment(port, store.host(), key));
            let (arguments, host) =
                (TargetArguments::of_started(Vec::new()), format!("127.0.0.1:{port}"));
            let mut node = arguments.foreign("centrifugo", Kind::Centrifugo, &command, host)?;
            node.door.key = Some(key.to_owned());
            Ok(node)
        });
        Fleet::new("centrifugo", all.collect::<Result<_, Failure>>()?, store)
    }
}
