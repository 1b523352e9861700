//! How Redis is found: one server, a master that sentinels know, or a cluster; from an address as
//! people write it.

use std::fmt;

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use percent_encoding::percent_decode_str;

#[cfg(test)]
mod tests;

/// What the names of keys begin with, unless the address says.
const PREFIX: &str = "martlet";

/// The longest prefix, in bytes.
const PREFIX_BYTES_MAX: usize = 64;

/// How Redis is found.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The servers to ask first: the one, the sentinels, or some of the cluster.
    pub hosts: Vec<(String, u16)>,
    /// What they are.
    pub kind: Kind,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// The user, if not the default one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The database; always 0 in a cluster.
    pub database: i64,
    /// What the names of all keys and channels begin with.
    pub prefix: String,
    /// Random bits, from which ids and epochs are made.
    pub seed: u64,
}

/// What the servers of an address are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The one server.
    Single,
    /// Sentinels that know the master of this name.
    Sentinel {
        /// What they call it.
        master: String,
    },
    /// Servers of a cluster.
    Cluster,
}

/// An address that cannot be read, with what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl Settings {
    /// Reads an address: `redis://[user:password@]host[:port][/database]`,
    /// `redis-sentinel://host[:port],…/master` or `redis-cluster://host[:port],…`; with `rediss` for
    /// `redis` it is encrypted. `?prefix=NAME` keeps several installations apart.
    pub fn parse(address: &str) -> Result<Self, AddressError> {
        let error = |what: &str| AddressError(format!("{what}: write {FORMS}"));
        let (scheme, rest) = address.split_once("://").ok_or_else(|| error("there is no ://"))?;
        let (scheme, tls) = match scheme.strip_prefix("rediss") {
            Some(kind) => (kind, true),
            None => (scheme.strip_prefix("redis").ok_or_else(|| error("no Redis address"))?, false),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(l, r)| (Some(l), r));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (kind, database, port) = match scheme {
            "" => {
                let database = if path.is_empty() { Ok(0) } else { path.parse() };
                (Kind::Single, database.map_err(|_| error("the database is no number"))?, 6379)
            }
            "-sentinel" if path.is_empty() => return Err(error("the master's name is missing")),
            "-sentinel" => (Kind::Sentinel { master: path.into() }, 0, 26379),
            "-cluster" if !path.is_empty() => {
                return Err(error("a cluster has no databases"));
            }
            "-cluster" => (Kind::Cluster, 0, 6379),
            _ => return Err(error("no Redis address")),
        };
        let hosts: Vec<_> = hosts.split(',').map(|host| host_of(host, port)).collect();
        let hosts = hosts.into_iter().collect::<Option<Vec<_>>>();
        let hosts = hosts.ok_or_else(|| error("a host or port is missing or wrong"))?;
        if kind == Kind::Single && hosts.len() > 1 {
            return Err(error("several hosts are sentinels or a cluster"));
        }
        let (user, password) = login_of(login);
        let prefix = prefix_of(query)?;
        Ok(Self { hosts, kind, tls, user, password, database, prefix, seed: 0 })
    }

    /// The same, with random bits.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How to connect to a server. Sentinels have neither users nor databases of ours.
    pub(super) fn connection(&self, host: &(String, u16), sentinel: bool) -> ConnectionInfo {
        let (host, port) = host.clone();
        let address = match self.tls {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        };
        let info = address.into_connection_info().expect("a host and a port are an address");
        let mut redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if !sentinel {
            redis = redis.set_db(self.database);
            if let Some(user) = &self.user {
                redis = redis.set_username(user);
            }
            if let Some(password) = &self.password {
                redis = redis.set_password(password);
            }
        }
        info.set_redis_settings(redis)
    }
}

/// The forms of an address, for people.
const FORMS: &str = "redis://HOST:PORT, redis-sentinel://HOST:PORT,…/MASTER or \
                     redis-cluster://HOST:PORT,… (rediss… for TLS)";

fn host_of(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, number)) if !host.ends_with(':') => (host, number.parse().ok()?),
        _ => (text, port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port))
}

fn login_of(login: Option<&str>) -> (Option<String>, Option<String>) {
    let Some(login) = login else { return (None, None) };
    let (user, password) = login.split_once(':').unwrap_or(("", login));
    let some = |text: &str| {
        (!text.is_empty()).then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
    };
    (some(user), some(password))
}

fn prefix_of(query: &str) -> Result<String, AddressError> {
    let mut prefix = PREFIX;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("prefix", value)) => prefix = value,
            _ => return Err(AddressError(format!("{pair:?} is no option: prefix=NAME is"))),
        }
    }
    let fits = (1..=PREFIX_BYTES_MAX).contains(&prefix.len());
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    match fits && prefix.chars().all(safe) {
        true => Ok(prefix.to_owned()),
        false => Err(AddressError(format!(
            "a prefix has 1 to {PREFIX_BYTES_MAX} letters, digits, and - _ . :"
        ))),
    }
}

impl fmt::Debug for Settings {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("hosts", &self.hosts)
            .field("kind", &self.kind)
            .field("tls", &self.tls)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
