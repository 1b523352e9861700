//! The stage on which a page is played: its directory, its server, its terminals.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regex::{Captures, Regex};
use serde_json::Value;
use tempfile::TempDir;

use super::beside::{Beside, can_run, wait_for};
use super::expected::{EPOCH, matched};
use super::page::{Block, Page};
use super::terminal::Terminal;
use super::typescript::Compiled;
use crate::cluster::process::{free_port, local};
use crate::program::MARTLET;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with its stage.
pub struct Server {
    _terminal: Terminal,
    /// Where it is.
    pub url: String,
}

impl Server {
    /// A server in development mode, given further arguments.
    pub fn start(arguments: &[&str]) -> Self {
        // A port that the system gives to nobody, also while a page starts its server anew.
        let address = local(free_port()).to_string();
        let mut command = bare(MARTLET);
        command.args(["serve", "--listen", &address]).args(arguments);
        Self::run(&mut command).unwrap()
    }

    fn run(command: &mut Command) -> Result<Self, String> {
        let mut terminal = Terminal::start(command);
        let at = Regex::new(r"listening on (https?://\S+)").unwrap();
        let log = terminal.wait(PATIENCE, |log| at.find(log).map(|found| found.end()))?;
        let url = at.captures(&log).map_or(String::new(), |found| found[1].to_owned());
        Ok(Self { _terminal: terminal, url })
    }

    fn authority(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, rest)| rest)
    }
}

/// A program without the variables that are ours.
fn bare(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARTLET_") {
            command.env_remove(name);
        }
    }
    command
}

/// A page on its way.
pub struct Stage<'a> {
    page: &'a Page,
    code: Option<&'a Compiled>,
    directory: TempDir,
    server: Option<Server>,
    beside: Beside,
    terminals: BTreeMap<String, Terminal>,
    /// What the last block wrote that ran to its end.
    written: String,
}

impl<'a> Stage<'a> {
    /// An empty stage for `page`.
    pub fn new(page: &'a Page, code: Option<&'a Compiled>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // On a person's terminal curl shows no progress either.
        std::fs::write(directory.path().join(".curlrc"), "silent\nshow-error\n").unwrap();
        let terminals = BTreeMap::new();
        let server = Some(Server::start(&[]));
        let beside = Beside::new();
        Self { page, code, directory, server, beside, terminals, written: String::new() }
    }

    /// Plays the page; says what was not as it is written.
    pub fn play(mut self) -> Result<(), String> {
        for (number, block) in self.page.blocks.iter().enumerate() {
            if block.language == "sh" && !can_run(&block.text, &block.place) {
                return Ok(());
            }
            if block.not_run.is_none() {
                self.play_block(number, block).map_err(|why| format!("{}: {why}", block.place))?;
            }
        }
        Ok(())
    }

    fn play_block(&mut self, number: usize, block: &Block) -> Result<(), String> {
        let command = match block.language.as_str() {
            "sh" => self.shell(&self.rewritten(&block.text)),
            "ts" => match self.code {
                Some(code) => self.node(&self.rewritten(&code.javascript(self.page, number))),
                None => return Ok(()),
            },
            "toml" => return self.configuration(block),
            "text" => return self.expect(number, block),
            _ => return Ok(()),
        };
        match &block.terminal {
            Some(name) => self.begin(name, command, &block.text),
            None => self.finish(command, block.word.as_deref() == Some("fails")),
        }
    }

    /// A command that runs `script` as a person in the page's directory would.
    fn shell(&self, script: &str) -> Command {
        // What was exported in one block holds in the next, as in a terminal.
        let script = format!(
            "set -eo pipefail\nif [ -f .exported ]; then . ./.exported; fi\n\
             {script}\nexport -p >.exported\n"
        );
        let mut command = bare("bash");
        command.args(["-c", &script]);
        self.place(command)
    }

    fn node(&self, javascript: &str) -> Command {
        let code = self.code.expect("there is compiled code when some is to be run");
        let mut command = self.shell(&format!("exec node {}", code.file(javascript).display()));
        command.env("NODE_NO_WARNINGS", "1");
        command
    }

    fn place(&self, mut command: Command) -> Command {
        let programs = Path::new(MARTLET).parent().unwrap().display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        // Debian keeps proxies where only root looks.
        command
            .env("PATH", format!("{programs}:{path}:/usr/sbin"))
            .current_dir(self.directory.path());
        command.env("CURL_HOME", self.directory.path());
        if let Some(server) = &self.server {
            command.env("MARTLET_URL", &server.url);
        }
        command
    }

    /// A script with the page's server and real epochs in it.
    fn rewritten(&self, script: &str) -> String {
        let script = script.replace("cargo run --release -- ", "martlet ");
        let script = self.beside.rewritten(&script);
        let Some(server) = &self.server else { return script };
        let script = script.replace("http://localhost:8000", &server.url);
        let script = script.replace("localhost:8000", server.authority());
        let cursor = Regex::new(&format!(r"{EPOCH}\.([\w:-]+)")).unwrap();
        let real = |found: &Captures<'_>| format!("{}.{}", self.epoch(&found[1]), &found[1]);
        cursor.replace_all(&script, real).into_owned()
    }

    fn epoch(&self, channel: &str) -> String {
        let page = self.ask(&format!("/v1/channels/{channel}/history?limit=1"));
        let page: Value = serde_json::from_str(&page).unwrap_or_default();
        page["epoch"].as_str().unwrap_or(EPOCH).to_owned()
    }

    fn ask(&self, path: &str) -> String {
        let url = self.server.as_ref().map_or("", |server| &server.url);
        let key = "Authorization: Bearer ${MARTLET_API_KEY:-none}";
        let asked = self.shell(&format!("curl -k -H \"{key}\" '{url}{path}'")).output().unwrap();
        String::from_utf8(asked.stdout).unwrap_or_default()
    }

    /// How many clients have ever been let in.
    fn connected(&self) -> usize {
        let metrics = self.ask("/metrics");
        let line = metrics.lines().find_map(|l| l.strip_prefix("martlet_clients_connected_total "));
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Begins something that goes on. A reader has to be let in before the story does.
    fn begin(&mut self, name: &str, mut command: Command, script: &str) -> Result<(), String> {
        self.terminals.remove(name);
        let script = &self.rewritten(script);
        if let Some(port) = Beside::listens(script) {
            self.terminals.insert(name.to_owned(), Terminal::start(&mut command));
            return wait_for(port, PATIENCE);
        }
        if script.contains("haproxy -f") {
            return self.put_before(&mut command);
        }
        if script.contains("martlet serve") {
            return self.serve(&mut command);
        }
        let before = self.connected();
        let terminal = Terminal::start(&mut command);
        self.terminals.insert(name.to_owned(), terminal);
        let reads = ["curl -N", "martlet sub", "new Martlet"].iter().any(|w| script.contains(w));
        let deadline = std::time::Instant::now() + PATIENCE;
        while reads && self.connected() <= before {
            if std::time::Instant::now() > deadline {
                return Err("no client was let in".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Puts a proxy where the page's server was.
    fn put_before(&mut self, command: &mut Command) -> Result<(), String> {
        let Some(Server { _terminal, url }) = self.server.take() else {
            return Err("there is no server whose place it takes".into());
        };
        drop(_terminal);
        let authority = url.split_once("://").map_or("", |(_, rest)| rest).to_owned();
        self.beside.deploy(&super::root(), self.directory.path(), &authority);
        self.server = Some(Server { _terminal: Terminal::start(command), url });
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        wait_for(port.ok_or("the server has no port")?, PATIENCE)
    }

    /// Runs the page's own server, at the address of the one before if there was one.
    fn serve(&mut self, command: &mut Command) -> Result<(), String> {
        let before = self.server.take().map(|server| server.authority().to_owned());
        let address = before.unwrap_or("127.0.0.1:0".into());
        command.env_remove("MARTLET_URL").env("MARTLET_SERVER__LISTEN", address);
        self.server = Some(Server::run(command)?);
        Ok(())
    }

    fn finish(&mut self, mut command: Command, fails: bool) -> Result<(), String> {
        let (written, status) = Terminal::start(&mut command).end(PATIENCE);
        let status = status.ok_or_else(|| format!("it does not end; it wrote\n{written}"))?;
        if status.success() == fails {
            return Err(format!("{status}; it wrote\n{written}"));
        }
        self.written = written;
        Ok(())
    }

    fn configuration(&mut self, block: &Block) -> Result<(), String> {
        let file = block.word.as_deref().unwrap_or("checked.toml");
        let path = self.directory.path().join(file);
        std::fs::write(&path, &block.text).map_err(|error| error.to_string())?;
        let mut command = self.place(bare(MARTLET));
        command.args(["config", "check", file]);
        self.finish(command, false)
    }

    fn expect(&mut self, number: usize, block: &Block) -> Result<(), String> {
        let before = &self.page.blocks[..number];
        let told = |other: &&Block| other.runs() && other.terminal == block.terminal;
        match before.iter().rfind(told) {
            None => return Err("nothing was run that could have written this".into()),
            Some(by) if by.language == "ts" && self.code.is_none() => return Ok(()),
            Some(_) => {}
        }
        let met = match block.terminal.as_ref().and_then(|name| self.terminals.get_mut(name)) {
            Some(terminal) => terminal.wait(PATIENCE, |text| matched(&block.text, text)).map(drop),
            None => match matched(&block.text, &self.written) {
                Some(length) if self.written[length..].trim().is_empty() => Ok(()),
                _ => Err(self.written.clone()),
            },
        };
        met.map_err(|written| format!("expected\n{}\nbut there was\n{written}", block.text))
    }
}
