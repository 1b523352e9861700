//! A server to be measured: one that the user names, or one that is started for the run and
//! ended with it.

use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::bare::Way;
use super::beside::{self, Beside, Peer, What};
use super::dialect::{Kind, Transport};
use super::door::{Door, plain_authority, resolve};
use super::interrupt;
use super::machine::Cores;
use super::process::Process;
use super::serving::Serving;
use super::started::Started;
use crate::failure::Failure;

/// Which server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct TargetArguments {
    /// A martlet that runs already, such as http://127.0.0.1:8000. Without it one is started for
    /// the run, on a free port of this machine
    #[arg(long)]
    pub url: Option<String>,

    /// The process number of that server, if it is on this machine: measures its CPU and memory.
    /// Several are joined by +
    #[arg(long, requires = "url", value_parser = beside::pids)]
    pid: Option<Pids>,

    /// A token, for the server of --url, and for Mercure's publisher
    #[arg(long)]
    token: Option<String>,

    /// What the names of channels begin with
    #[arg(long, default_value = "bench-", value_name = "TEXT")]
    prefix: String,

    /// Set a key of the configuration of the server that is started; repeat it for several
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "url")]
    pub set: Vec<String>,

    /// Let the scheduler place servers and generator. Otherwise the generator gets the last core,
    /// and the servers that are started get the others
    #[arg(long)]
    no_pin: bool,
}

/// Process numbers. Not a list of options, but the value of one.
type Pids = Vec<u32>;

/// What is told about a server.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// What it is called.
    pub server: String,
    /// Where it is.
    pub url: String,
    /// Its process number, if it is known and on this machine; the first of several.
    pub pid: Option<u32>,
    /// Whether it was started for the run.
    pub started: bool,
}

/// A server, as it is reached by one transport.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is called in the report.
    pub name: String,
    /// Whether it is the martlet that is measured, not something beside it.
    pub martlet: bool,
    /// Where it is.
    pub door: Door,
    /// Its process, if it is on this machine.
    pub process: Option<Process>,
    child: Option<Rc<Started>>,
}

impl Target {
    /// Several that are measured as one: the processes of all of them, and these, count.
    pub fn whole(name: &str, nodes: &[Self], others: &[u32]) -> Option<Self> {
        let mut whole = nodes.first()?.clone();
        let pids = nodes.iter().filter_map(|node| node.process.as_ref());
        let pids = pids.flat_map(|process| process.pids.iter().copied());
        whole.process = Some(Process { pids: pids.chain(others.iter().copied()).collect() });
        name.clone_into(&mut whole.name);
        name.clone_into(&mut whole.door.name);
        Some(whole)
    }

    /// What is told about it.
    pub fn about(&self) -> About {
        About {
            server: self.name.clone(),
            url: format!("http://{}", self.door.host),
            pid: self.process.as_ref().and_then(|process| process.pids.first().copied()),
            started: self.child.is_some(),
        }
    }

    /// The CPU time that it has used, if that is known.
    pub fn cpu(&self) -> Option<Duration> {
        self.process.as_ref()?.cpu()
    }

    /// The bytes of memory that are its own, if that is known.
    pub fn memory(&self) -> Option<u64> {
        self.process.as_ref()?.memory()
    }

    /// Whether it is a loop of this program.
    pub fn is_loop(&self) -> bool {
        self.child.is_some() && !self.martlet
    }

    /// What to say if its process is not known.
    pub fn unmeasured(&self) -> Option<String> {
        match (&self.process, self.martlet) {
            (Some(_), _) => None,
            (None, true) => {
                Some("the server's CPU and memory were not measured: give --pid".to_owned())
            }
            (None, false) => Some(format!(
                "CPU and memory of {} were not measured: give its PID after its address",
                self.name
            )),
        }
    }
}

/// Finds or starts the servers: the one to measure, and those beside it. Moves this thread to the
/// generator's core.
pub fn targets(arguments: &TargetArguments, beside: &Beside) -> Result<Vec<Target>, Failure> {
    Course::default().targets(arguments, beside)
}

/// Starts servers on their cores, each with so many workers (0 is one for each core), and moves
/// this thread to the generator's core.
pub fn placed<T>(
    no_pin: bool,
    start: impl FnOnce(u32) -> Result<T, Failure>,
) -> Result<T, Failure> {
    interrupt::watch()?;
    let cores = if no_pin { None } else { Cores::share() };
    let unplaced = |error| Failure::failed(format!("cannot choose cores: {error}"));
    if let Some(cores) = &cores {
        cores.start_servers().map_err(unplaced)?;
    }
    let started = start(cores.as_ref().map_or(0, |it| it.count))?;
    if let Some(cores) = &cores {
        cores.generate().map_err(unplaced)?;
    }
    Ok(started)
}

/// What a subcommand wants of the servers.
#[derive(Debug, Clone)]
pub struct Course<'a> {
    /// By which transports the readers of martlet come.
    pub transports: &'a [Transport],
    /// Each of these has a server of its own, if it is started for the run.
    pub apart: bool,
    /// The bare loop has to keep publications for those who come back: it is the loop of places,
    /// which writes what somebody has missed with the answer.
    pub keeping: bool,
}

impl Default for Course<'_> {
    fn default() -> Self {
        Self { transports: &[Transport::Websocket], apart: false, keeping: false }
    }
}

impl Course<'_> {
    /// Finds or starts the servers, and moves this thread to the generator's core.
    pub fn targets(
        &self,
        arguments: &TargetArguments,
        beside: &Beside,
    ) -> Result<Vec<Target>, Failure> {
        let mut targets = placed(arguments.no_pin, |workers| {
            let mut targets = self.martlets(arguments, workers)?;
            for what in beside.all() {
                targets.push(match what {
                    What::Loop(Way::Bare) if self.keeping => arguments.bare("bare", Way::Places)?,
                    What::Loop(way) => arguments.bare(way.name(), way)?,
                    What::Peer(peer) => arguments.peer(&peer)?,
                });
            }
            Ok(targets)
        })?;
        for (number, target) in targets.iter_mut().enumerate() {
            target.door.number = number;
        }
        Ok(targets)
    }

    /// The server to measure, once for each transport.
    fn martlets(&self, arguments: &TargetArguments, workers: u32) -> Result<Vec<Target>, Failure> {
        let mut martlet = None;
        let over = self.transports.iter().map(|transport| {
            if martlet.is_none() || self.apart && arguments.url.is_none() {
                martlet = Some(match &arguments.url {
                    Some(url) => arguments.named(url)?,
                    None => arguments.martlet("martlet", workers)?,
                });
            }
            let target = martlet.as_ref().expect("it was found or started above");
            Ok(target.over(*transport, self.transports))
        });
        over.collect()
    }
}

impl Target {
    /// The same server, whose readers come by this one of several transports.
    fn over(&self, transport: Transport, all: &[Transport]) -> Self {
        let mut target = self.clone();
        target.door.reader = transport.dialect();
        let several = all.len() > 1;
        if several && transport != Transport::Websocket {
            target.name = format!("{} {}", self.name, transport.name());
            target.door.name.clone_from(&target.name);
        }
        target
    }
}

impl TargetArguments {
    /// For servers that are all started for the run.
    pub fn of_started(set: Vec<String>) -> Self {
        let prefix = "bench-".to_owned();
        Self { url: None, pid: None, token: None, prefix, set, no_pin: false }
    }

    /// A martlet that runs already.
    fn named(&self, url: &str) -> Result<Target, Failure> {
        let (host, user) = plain_authority(url)?;
        if user.is_some() {
            return Err(Failure::wrong("a token for martlet is given by --token"));
        }
        let process = beside::process(self.pid.as_deref().unwrap_or_default())?;
        let mut door = self.door("martlet", Kind::Martlet, host)?;
        door.token = self.token.clone();
        Ok(Target { name: "martlet".into(), martlet: true, door, process, child: None })
    }

    /// A martlet with so many workers, started for the run.
    pub fn martlet(&self, name: &str, workers: u32) -> Result<Target, Failure> {
        let serving = Serving::new(workers, &self.set)?;
        let mut target = self.start(name, serving.arguments)?;
        (target.door.key, target.martlet) = (Some(serving.key), true);
        Ok(target)
    }

    fn bare(&self, name: &str, way: Way) -> Result<Target, Failure> {
        self.start(name, ["bench", "bare", way.name()].map(str::to_owned).to_vec())
    }

    fn peer(&self, peer: &Peer) -> Result<Target, Failure> {
        let (host, token) = peer.place()?;
        let mut door = self.door(&peer.label, peer.kind, host)?;
        door.token = token.or_else(|| (peer.kind == Kind::Mercure).then(|| self.token.clone())?);
        let (name, process) = (peer.label.clone(), peer.process()?);
        Ok(Target { name, martlet: false, door, process, child: None })
    }

    fn door(&self, name: &str, kind: Kind, host: String) -> Result<Door, Failure> {
        let (reader, publisher) = kind.dialects();
        Ok(Door {
            name: name.to_owned(),
            kind,
            address: resolve(&host)?,
            host,
            token: None,
            prefix: self.prefix.clone(),
            number: 0,
            key: None,
            reader,
            publisher,
            entrance: None,
            seen: None,
        })
    }

    /// Starts this program once more, and waits until it says where it listens.
    fn start(&self, name: &str, arguments: Vec<String>) -> Result<Target, Failure> {
        let unstarted = |why: String| Failure::failed(format!("cannot start {name}: {why}"));
        let mut child = Started::once_more(&arguments).map_err(|e| unstarted(e.to_string()))?;
        let host = child.listening().map_err(unstarted)?;
        self.started(name, Kind::Martlet, host, child)
    }

    /// A server of somebody else, started for the run, that is to listen there.
    pub fn foreign(
        &self,
        name: &str,
        kind: Kind,
        command: &Command,
        host: String,
    ) -> Result<Target, Failure> {
        let unstarted = |why: String| Failure::failed(format!("cannot start {name}: {why}"));
        let mut child = Started::foreign(command).map_err(|e| unstarted(e.to_string()))?;
        child.listens(resolve(&host)?).map_err(unstarted)?;
        self.started(name, kind, host, child)
    }

    /// A server that runs, in this process.
    pub fn running(
        &self,
        name: &str,
        kind: Kind,
        host: String,
        process: Process,
    ) -> Result<Target, Failure> {
        let (door, process) = (self.door(name, kind, host)?, Some(process));
        Ok(Target { name: name.to_owned(), martlet: false, door, process, child: None })
    }

    fn started(
        &self,
        name: &str,
        kind: Kind,
        host: String,
        child: Started,
    ) -> Result<Target, Failure> {
        let process = Some(Process::one(child.pid()));
        let door = self.door(name, kind, host)?;
        let child = Some(Rc::new(child));
        Ok(Target { name: name.to_owned(), martlet: false, door, process, child })
    }
}
