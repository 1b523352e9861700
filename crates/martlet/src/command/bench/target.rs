//! A server to be measured: one that the user names, or one that is started for the run and
//! ended with it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::{Child, Command, Stdio};

use serde::Serialize;
use serde_json::json;

use super::interrupt;
use super::machine::Cores;
use super::process::Process;
use super::serving::Serving;
use crate::failure::Failure;

/// Which server.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct TargetArguments {
    /// A server that runs already, such as http://127.0.0.1:8000. Without it one is started for
    /// the run, on a free port of this machine
    #[arg(long)]
    pub url: Option<String>,

    /// The process number of that server, if it is on this machine: measures its CPU and memory
    #[arg(long, requires = "url")]
    pid: Option<u32>,

    /// A token, for a server that wants one
    #[arg(long, requires = "url")]
    token: Option<String>,

    /// What the names of channels begin with
    #[arg(long, default_value = "bench-", value_name = "TEXT")]
    prefix: String,

    /// Set a key of the configuration of the server that is started; repeat it for several
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "url")]
    set: Vec<String>,

    /// Let the scheduler place servers and generator. Otherwise the generator gets the last core,
    /// and the servers that are started get the others
    #[arg(long)]
    no_pin: bool,
}

/// Where a server is, and how one gets in.
#[derive(Debug, Clone)]
pub struct Door {
    /// Its address.
    pub address: SocketAddr,
    host: String,
    token: Option<String>,
    prefix: String,
    /// The key of its API, if it was started for the run.
    pub key: Option<String>,
}

impl Door {
    /// The door of a server that lets everybody in.
    #[cfg(test)]
    pub fn anonymous(address: SocketAddr) -> Self {
        let (host, prefix) = (address.to_string(), "t-".into());
        Self { address, host, token: None, prefix, key: None }
    }

    /// What is sent first for a WebSocket.
    pub fn handshake(&self) -> Vec<u8> {
        format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: bWFydGxldC1iZW5jaG1rLg==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: martlet.v1.json\r\n\r\n",
            self.host
        )
        .into_bytes()
    }

    /// The `connect` of a client that follows a channel, or none.
    pub fn connect(&self, channel: Option<usize>) -> Vec<u8> {
        let mut connect = json!({ "agent": concat!("martlet-bench/", env!("CARGO_PKG_VERSION")) });
        if let Some(token) = &self.token {
            connect["token"] = json!(token);
        }
        if let Some(channel) = channel {
            connect["subscribe"] = json!([{ "channel": self.channel(channel) }]);
        }
        json!({ "id": 1, "connect": connect }).to_string().into_bytes()
    }

    /// The name of a channel. No two runs have the same.
    pub fn channel(&self, number: usize) -> String {
        format!("{}{}-{number:06}", self.prefix, std::process::id())
    }

    /// The token as the end of a query, if there is one.
    pub fn token_query(&self) -> String {
        self.token.as_ref().map(|token| format!("&token={token}")).unwrap_or_default()
    }

    /// Host and port, for a `Host` header.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// What is told about a server.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// Where it is.
    pub url: String,
    /// Its process number, if it is known and on this machine.
    pub pid: Option<u32>,
    /// Whether it was started for the run.
    pub started: bool,
}

/// A server.
#[derive(Debug)]
pub struct Target {
    /// What it is called in the report.
    pub name: &'static str,
    /// Where it is.
    pub door: Door,
    /// Its process, if it is on this machine.
    pub process: Option<Process>,
    child: Option<Child>,
}

impl Target {
    /// What is told about it.
    pub fn about(&self) -> About {
        About {
            url: format!("http://{}", self.door.host),
            pid: self.process.map(|process| process.pid),
            started: self.child.is_some(),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It keeps nothing that a slower end would save.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Finds or starts the servers: the one to measure, and with `bare` the bare loop too. Moves this
/// thread to the generator's core.
pub fn targets(arguments: &TargetArguments, bare: bool) -> Result<Vec<Target>, Failure> {
    interrupt::watch()?;
    let cores = if arguments.no_pin { None } else { Cores::share() };
    let unplaced = |error| Failure::failed(format!("cannot choose cores: {error}"));
    if let Some(cores) = &cores {
        cores.start_servers().map_err(unplaced)?;
    }
    let workers = cores.as_ref().map_or(0, |cores| cores.count);
    let mut targets = vec![match &arguments.url {
        Some(url) => arguments.named(url)?,
        None => {
            let serving = Serving::new(workers, &arguments.set)?;
            arguments.start("martlet", serving.arguments, Some(serving.key))?
        }
    }];
    if bare {
        targets.push(arguments.start("bare", vec!["bench".into(), "bare".into()], None)?);
    }
    if let Some(cores) = &cores {
        cores.generate().map_err(unplaced)?;
    }
    Ok(targets)
}

impl TargetArguments {
    /// A server that runs already.
    fn named(&self, url: &str) -> Result<Target, Failure> {
        let host = plain_authority(url)?;
        let process = match self.pid.map(|pid| Process { pid }) {
            Some(process) if process.cpu().is_none() => {
                let message = format!("process {} is not there, or cannot be read", process.pid);
                return Err(Failure::wrong(message));
            }
            known => known,
        };
        let door = self.door(host, None)?;
        Ok(Target { name: "martlet", door, process, child: None })
    }

    fn door(&self, host: String, key: Option<String>) -> Result<Door, Failure> {
        let unknown = |why: String| Failure::failed(format!("{host} cannot be found: {why}"));
        let mut addresses = host.to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| unknown("it has no address".into()))?;
        let (token, prefix) = (self.token.clone(), self.prefix.clone());
        Ok(Door { address, host, token, prefix, key })
    }

    /// Starts this program once more, and waits until it says where it listens.
    fn start(
        &self,
        name: &'static str,
        arguments: Vec<String>,
        key: Option<String>,
    ) -> Result<Target, Failure> {
        let unstarted = |why: &str| Failure::failed(format!("cannot start {name}: {why}"));
        let mut child = spawn(arguments).map_err(|error| unstarted(&error.to_string()))?;
        let process = Some(Process { pid: child.id() });
        let found = listening(&mut child).map_err(|said| unstarted(&said));
        match found.and_then(|host| self.door(host, key)) {
            Ok(door) => Ok(Target { name, door, process, child: Some(child) }),
            Err(failure) => {
                // It may have ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                Err(failure)
            }
        }
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

/// Host and port of an address.
fn plain_authority(url: &str) -> Result<String, Failure> {
    let wrong = |message: String| Err(Failure::wrong(message));
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    if !matches!(scheme, "http" | "ws") {
        return wrong(format!("{scheme} cannot be measured: the generator speaks plain HTTP"));
    }
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '@', '?', '#']) {
        return wrong(format!("{url} is not an address such as http://127.0.0.1:8000"));
    }
    let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if port { authority.to_owned() } else { format!("{authority}:80") })
}

#[cfg(test)]
mod tests;
