//! The configuration once it is known to be right: what the rest of the server uses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use martlet_core::crowd::AdmissionRate;
use martlet_core::model::{Limits, Namespaces};
use martlet_transport::cors::Origins;

use super::engine::EngineAddress;
use super::sections::LogFormat;
use super::value::Secret;
use crate::drain::Plan;
use crate::identity::TokenSource;
use crate::keys::ApiKeys;

/// A configuration that has been checked as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether this is development mode: nothing was configured and everything is open.
    pub development: bool,
    /// Addresses to listen on; at least one. All loopback in development mode.
    pub listen: Vec<SocketAddr>,
    /// Worker threads; at least one.
    pub workers: usize,
    /// Which web pages may connect.
    pub origins: Origins,
    /// Encryption; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Whether a client may connect without a token.
    pub anonymous: bool,
    /// How far the clocks of token makers may be off.
    pub leeway: Duration,
    /// Where the keys come from that check tokens.
    pub tokens: Vec<TokenSource>,
    /// Keys of the backend API.
    pub keys: ApiKeys,
    /// Options of channels.
    pub namespaces: Namespaces,
    /// After how long a silence of its own the server pings.
    pub ping: Duration,
    /// How long it then waits for the answer.
    pub pong: Duration,
    /// How long a session waits for a lost client.
    pub resume: Duration,
    /// How old a connection gets; zero for as old as it likes.
    pub age: Duration,
    /// How many clients each worker lets in.
    pub admission: AdmissionRate,
    /// How many connections of each worker may not yet have said who they are; 0 for no limit.
    pub handshakes: usize,
    /// How the node lets its clients go.
    pub drain: Plan,
    /// The address by which clients reach this node and no other.
    pub address: Option<Box<str>>,
    /// The secret by which grants are signed; `None` to make one at random.
    pub grant_secret: Option<Secret>,
    /// How long a grant is good.
    pub grant_lifetime: Duration,
    /// How many bytes of memory the node may take.
    pub memory_budget: usize,
    /// The limit on everything.
    pub limits: Limits,
    /// What keeps histories.
    pub engine: EngineAddress,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written.
    pub log_level: String,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// From files in PEM.
    Files {
        /// The certificate and those that signed it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made at each start; nobody trusts it.
    Development,
}
