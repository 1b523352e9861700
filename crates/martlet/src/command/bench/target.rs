//! A server to be measured: one that the user names, or one that is started for the run and
//! ended with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
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

/// A process that ends with the run.
#[derive(Debug)]
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It keeps nothing that a slower end would save, and it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Target {
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
        interrupt::watch()?;
        let cores = if arguments.no_pin { None } else { Cores::share() };
        let unplaced = |error| Failure::failed(format!("cannot choose cores: {error}"));
        if let Some(cores) = &cores {
            cores.start_servers().map_err(unplaced)?;
        }
        let mut targets = self.martlets(arguments, cores.as_ref().map_or(0, |it| it.count))?;
        for what in beside.all() {
            targets.push(match what {
                What::Loop(Way::Bare) if self.keeping => arguments.bare("bare", Way::Places)?,
                What::Loop(way) => arguments.bare(way.name(), way)?,
                What::Peer(peer) => arguments.peer(&peer)?,
            });
        }
        for (number, target) in targets.iter_mut().enumerate() {
            target.door.number = number;
        }
        if let Some(cores) = &cores {
            cores.generate().map_err(unplaced)?;
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
            seen: None,
        })
    }

    /// Starts this program once more, and waits until it says where it listens.
    fn start(&self, name: &str, arguments: Vec<String>) -> Result<Target, Failure> {
        let unstarted = |why: &str| Failure::failed(format!("cannot start {name}: {why}"));
        let mut child = Started(spawn(arguments).map_err(|error| unstarted(&error.to_string()))?);
        let process = Some(Process::one(child.0.id()));
        let host = listening(&mut child.0).map_err(|said| unstarted(&said))?;
        let door = self.door(name, Kind::Martlet, host)?;
        let child = Some(Rc::new(child));
        Ok(Target { name: name.to_owned(), martlet: false, door, process, child })
    }
}

/// This program once more, configured by nothing but its arguments.
fn spawn(arguments: Vec<String>) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let variables = std::env::vars_os().map(|(variable, _)| variable);
    for variable in variables.filter(|name| name.to_string_lossy().starts_with("MARTLET_")) {
        command.env_remove(variable);
    }
    command.spawn()
}

/// Where a server that was started says it listens, or what it says instead.
fn listening(child: &mut Child) -> Result<String, String> {
    let errors = child.stderr.take().expect("standard error was asked to be a pipe");
    let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let host = lines.find_map(|line| {
        let host = line.split_once("listening on http://").map(|(_, host)| host.to_owned());
        said.push(line);
        host
    });
    // The rest is read to its end, so that the server never waits for its reader.
    std::thread::spawn(move || lines.count());
    host.ok_or_else(|| said.join("\n"))
}
