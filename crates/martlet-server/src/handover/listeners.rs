//! The sockets that a node listens on, and where they come from: opened by itself, passed in by
//! whoever started it, or left by the node before.

use std::io;
use std::net::{SocketAddr, TcpListener};

use martlet_transport::listen;

use crate::config::Settings;
use crate::node::StartError;

/// How many connections the kernel keeps that have not been accepted.
const BACKLOG: u32 = 4_096;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub socket: TcpListener,
    /// The configured address for which it was opened; `None` if it was passed in.
    pub asked: Option<SocketAddr>,
}

impl Listening {
    /// Opens one.
    fn open(address: SocketAddr) -> Result<Self, StartError> {
        let socket = listen::bind(address, BACKLOG);
        let socket = socket.map_err(|error| StartError::Listen { address, error })?;
        Ok(Self { socket, asked: Some(address) })
    }

    fn is_for(&self, address: SocketAddr) -> bool {
        self.asked == Some(address) || self.socket.local_addr().is_ok_and(|at| at == address)
    }
}

/// All sockets of a node.
#[derive(Debug)]
pub struct Listeners(Vec<Listening>);

impl Listeners {
    /// Opens those that are configured.
    pub fn open(settings: &Settings) -> Result<Self, StartError> {
        settings.listen.iter().map(|at| Listening::open(*at)).collect::<Result<_, _>>().map(Self)
    }

    /// Takes those that were passed in, in the place of the configured ones: whoever passes
    /// sockets decides where the node listens.
    pub fn passed(sockets: Vec<TcpListener>, settings: &Settings) -> Result<Self, StartError> {
        let adopt = |(number, socket)| {
            let socket = listen::adopt(socket);
            let socket = socket.map_err(|error| StartError::Passed { number, error })?;
            Ok(Listening { socket, asked: None })
        };
        let sockets = sockets.into_iter().enumerate().map(adopt);
        Self(sockets.collect::<Result<_, StartError>>()?).allowed(settings)
    }

    /// Takes those that the node before has left. One that was passed in to that node is used as
    /// it is; the others if they are still configured. What is configured beside is opened.
    pub fn left(left: Vec<Listening>, settings: &Settings) -> Result<Self, StartError> {
        let (passed, mut opened): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|left| left.asked.is_none());
        if !passed.is_empty() {
            return Self(passed).allowed(settings);
        }
        let taken = settings.listen.iter().map(|address| {
            match opened.iter().position(|left| left.is_for(*address)) {
                Some(index) => {
                    let left = opened.swap_remove(index);
                    Ok(Listening { asked: Some(*address), ..left })
                }
                None => Listening::open(*address),
            }
        });
        let taken = taken.collect::<Result<_, _>>()?;
        for left in opened {
            tracing::info!(address = ?left.asked, "no longer listening");
        }
        Ok(Self(taken))
    }

    /// Without a configuration everything is open to everybody, and so to this machine only.
    fn allowed(self, settings: &Settings) -> Result<Self, StartError> {
        let addresses = self.addresses().map_err(StartError::Thread)?;
        let open = addresses.into_iter().find(|address| !address.ip().is_loopback());
        match open.filter(|_| settings.development) {
            Some(address) => Err(StartError::Open(address)),
            None => Ok(self),
        }
    }

    /// Where they listen, with the ports that the system chose.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(|listening| listening.socket.local_addr()).collect()
    }

    /// The same sockets once more. As long as one is open, connections wait in them.
    pub fn share(&self) -> io::Result<Self> {
        let share = |listening: &Listening| {
            Ok(Listening { socket: listening.socket.try_clone()?, asked: listening.asked })
        };
        self.0.iter().map(share).collect::<io::Result<_>>().map(Self)
    }

    /// All of them.
    pub fn all(&self) -> &[Listening] {
        &self.0
    }

    /// The sockets alone.
    pub fn into_sockets(self) -> impl Iterator<Item = TcpListener> {
        self.0.into_iter().map(|listening| listening.socket)
    }

    /// Takes them out. They are closed here once they are dropped.
    pub fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0))
    }
}
