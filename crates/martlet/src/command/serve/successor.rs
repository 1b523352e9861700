//! The program's part when a node hands over to its successor: the same program, started anew as
//! a process of its own, with its end of the line as standard input. What is said on the line is
//! the server's business.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use martlet_server::handover::{Patience, Taker};
use martlet_server::node::Node;

/// Says to a process that its standard input is the line to the node whose place it takes.
const MARK: &str = "_MARTLET_SUCCEEDS";

/// What systemd says to the process that it starts, and to no other.
const PASSED: [&str; 3] = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// How long a process gets to end that has hung up, so that it can be said how it did.
const LAST_STEPS: u32 = 50;
const LAST_STEP: Duration = Duration::from_millis(10);

/// How this process was started, to start another like it.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// The program of this process. Another may be at its path by the time it is started, which
    /// is the point of starting it; so the path is kept as it was given, links and all.
    pub fn of_this_process() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().map(PathBuf::from).unwrap_or_default();
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let path = match find(&name, &std::env::current_dir()?, std::env::split_paths(&folders)) {
            Some(path) => path,
            None => std::env::current_exe()?,
        };
        Ok(Self { path, arguments: arguments.collect() })
    }

    fn start(&self, line: UnixStream) -> io::Result<Heir> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env(MARK, "1").stdin(Stdio::from(OwnedFd::from(line)));
        for name in PASSED {
            command.env_remove(name);
        }
        command.spawn().map(|child| Heir(Some(child)))
    }
}

/// Where a program is that was started by `name`, as a shell finds it.
fn find(name: &Path, folder: &Path, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return Some(folder.join(name)).filter(|path| path.is_file());
    }
    let found = folders.find_map(|place| Some(place.join(name)).filter(|path| path.is_file()));
    found.map(|path| folder.join(path)).filter(|_| !name.as_os_str().is_empty())
}

/// The process that is to be the successor. If it is not let go, it ends with this.
struct Heir(Option<Child>);

impl Heir {
    fn process(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// It lives on by itself.
    fn let_go(&mut self) {
        self.0 = None;
    }

    /// How it has ended, if it does so by itself: it has hung up, and may be on its way.
    async fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.0.as_mut()?;
        for _ in 0..LAST_STEPS {
            if let Some(status) = child.try_wait().ok().flatten() {
                return Some(status);
            }
            tokio::time::sleep(LAST_STEP).await;
        }
        None
    }

    /// Ends it, if it has not ended.
    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hands over to a successor, and gives its process number; or says why not, and the node goes on
/// as before.
pub async fn hand_over(program: &Program, node: &Node) -> Result<u32, String> {
    if std::process::id() == 1 {
        return Err("this is process 1, and whatever runs here ends with it".into());
    }
    let giver = node.giver().map_err(|error| error.to_string())?;
    let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
    let started = program.start(theirs);
    let mut heir = started.map_err(|error| format!("{}: {error}", program.path.display()))?;
    tracing::info!(process = heir.process(), program = %program.path.display(), "handing over");
    let giving = tokio::task::spawn_blocking(move || {
        let given = giver.give(ours, Patience::default());
        (giver, given)
    });
    let (giver, given) = giving.await.map_err(|error| error.to_string())?;
    match given {
        Ok(()) => {
            let process = heir.process();
            heir.let_go();
            Ok(process)
        }
        Err(error) => {
            // First the other process ends, so that there are never two that publish.
            let ended = if error.gone() { heir.ended().await } else { None };
            heir.end();
            giver.resume();
            let how = ended.map(|status| format!(" ({status})")).unwrap_or_default();
            Err(format!("{error}{how}"))
        }
    }
}

/// The line to the node before, if this process was started as its successor.
pub fn line() -> io::Result<Option<Taker>> {
    if std::env::var_os(MARK).is_none() {
        return Ok(None);
    }
    let line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The mark may have been left to a process that was started by others.
    let is_line = line.peer_addr().is_ok();
    Ok(is_line.then(|| Taker::new(line, Patience::default())))
}

#[cfg(test)]
mod tests;
