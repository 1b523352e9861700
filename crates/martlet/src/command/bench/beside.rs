//! What a server is measured beside: bare loops, which are started for the run, and servers that
//! run already, each with its own way of speaking.

use super::bare::Way;
use super::dialect::Kind;
use super::door::plain_authority;
use super::process::Process;
use crate::failure::Failure;

/// What else is measured, in turns.
#[derive(Debug, Default, clap::Args)]
pub struct Beside {
    /// Measure something else too, in turns; repeat it for several. A loop of this program: bare
    /// (one send for each delivery), cork (one for all of a turn) or places (one from each
    /// reader's place to the end of a log). Or a server that runs: KIND=URL[,PID], where KIND is
    /// martlet, centrifugo, nchan, mosquitto, nats, socketio, broadcast, mercure or redis, or such
    /// a word with a label, KIND:LABEL. Several PIDs are joined by +
    #[arg(long, value_name = "WHAT", value_parser = what)]
    beside: Vec<What>,

    /// The same as --beside bare
    #[arg(long)]
    bare: bool,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A loop of this program.
    Loop(Way),
    /// A server that runs.
    Peer(Peer),
}

/// A server that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// How one speaks with it.
    pub kind: Kind,
    /// What it is called in the report.
    pub label: String,
    url: String,
    pids: Vec<u32>,
}

impl Beside {
    /// All of them, in their order.
    pub fn all(&self) -> Vec<What> {
        let bare = What::Loop(Way::Bare);
        let mut all = self.beside.clone();
        if self.bare && !all.contains(&bare) {
            all.insert(0, bare);
        }
        all
    }
}

impl Peer {
    /// Its host and port, and what stands before them as a token.
    pub fn place(&self) -> Result<(String, Option<String>), Failure> {
        plain_authority(&self.url)
    }

    /// Its processes, which have to be there.
    pub fn process(&self) -> Result<Option<Process>, Failure> {
        process(&self.pids)
    }
}

/// Processes that have to be there, if any are named.
pub fn process(pids: &[u32]) -> Result<Option<Process>, Failure> {
    if pids.is_empty() {
        return Ok(None);
    }
    let process = Process { pids: pids.to_vec() };
    match process.cpu() {
        Some(_) => Ok(Some(process)),
        None => {
            let named: Vec<String> = pids.iter().map(u32::to_string).collect();
            let named = named.join(" or ");
            Err(Failure::wrong(format!("process {named} is not there, or cannot be read")))
        }
    }
}

/// Process numbers joined by `+`.
pub fn pids(text: &str) -> Result<Vec<u32>, String> {
    let wrong = |_| format!("{text} is not a process number, or several joined by +");
    text.split('+').map(|pid| pid.parse().map_err(wrong)).collect()
}

fn what(text: &str) -> Result<What, String> {
    for way in [Way::Bare, Way::Cork, Way::Places] {
        if text == way.name() {
            return Ok(What::Loop(way));
        }
    }
    let Some((name, place)) = text.split_once('=') else {
        return Err("it is bare, cork, places or KIND=URL[,PID]".into());
    };
    let (word, label) = name.split_once(':').unwrap_or((name, name));
    let kind = Kind::named(word).ok_or_else(|| {
        format!("nobody here speaks {word}; what is spoken: {}", Kind::NAMES.join(", "))
    })?;
    let (url, numbers) = match place.rsplit_once(',') {
        Some((url, numbers)) => (url, pids(numbers)?),
        None => (place, Vec::new()),
    };
    Ok(What::Peer(Peer { kind, label: label.to_owned(), url: url.to_owned(), pids: numbers }))
}

#[cfg(test)]
mod tests;
