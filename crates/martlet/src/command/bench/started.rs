//! A process that is started for a run and ends with it, and when it is ready. What it is, and
//! what is measured of it, is its starter's business.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs what it is given, and has it end when its starter was killed outright, where there is a
/// program that can do that.
const FOLLOWING: &str = "if setpriv --pdeathsig KILL true 2>/dev/null; \
                         then set -- setpriv --pdeathsig KILL \"$@\"; fi; exec \"$@\"";

/// A process that ends with the run.
#[derive(Debug)]
pub struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It keeps nothing that a slower end would save, and it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Started {
    /// This program once more, configured by nothing but its arguments.
    pub fn once_more(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        without(&mut command, "MARTLET_");
        command.spawn().map(Self)
    }

    /// Another program, which says nothing.
    pub fn foreign(command: &Command) -> io::Result<Self> {
        let mut following = Command::new("sh");
        following.args(["-c", FOLLOWING, "sh"]).arg(command.get_program()).args(command.get_args());
        let set = command.get_envs();
        following.envs(set.filter_map(|(variable, value)| Some((variable, value?))));
        following.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        following.spawn().map(Self)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Where this program says it listens, or what it says instead.
    pub fn listening(&mut self) -> Result<String, String> {
        let errors = self.0.stderr.take().expect("standard error was asked to be a pipe");
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

    /// Waits until it listens there.
    pub fn listens(&mut self, address: SocketAddr) -> Result<(), String> {
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("it ended: {status}"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("it does not listen on {address}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Takes away the variables whose names begin so.
fn without(command: &mut Command, beginning: &str) {
    let variables = std::env::vars_os().map(|(variable, _)| variable);
    for variable in variables.filter(|name| name.to_string_lossy().starts_with(beginning)) {
        command.env_remove(variable);
    }
}

/// A port of this machine that nobody uses now.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
