//! Where a server is, how one gets in, and which language is spoken there.

use std::net::{SocketAddr, ToSocketAddrs};

use super::dialect::{Dialect, Kind};
use crate::failure::Failure;

/// Where a client has been before: it comes back and wants what it has missed.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The identity of the channel's history.
    pub epoch: String,
    /// The last publication that it has.
    pub offset: u64,
}

/// Where a server is, and how one gets in.
#[derive(Debug, Clone)]
pub struct Door {
    /// What the server is called in the report.
    pub name: String,
    /// What kind of server it is.
    pub kind: Kind,
    /// Its address.
    pub address: SocketAddr,
    /// Host and port, for a `Host` header.
    pub host: String,
    /// A token, if it wants one.
    pub token: Option<String>,
    /// What the names of channels begin with.
    pub prefix: String,
    /// Sets the channels of this door apart from those of others, which may be of the same server.
    pub number: usize,
    /// The key of its API, if it was started for the run.
    pub key: Option<String>,
    /// How those speak who follow a channel.
    pub reader: &'static dyn Dialect,
    /// How those speak who only publish.
    pub publisher: &'static dyn Dialect,
    /// Where those come in who only publish, if that is another node.
    pub entrance: Option<SocketAddr>,
    /// Where its clients have been before.
    pub seen: Option<Seen>,
}

impl Door {
    /// The door of a server that lets everybody in.
    #[cfg(test)]
    pub fn anonymous(address: SocketAddr, dialect: &'static dyn Dialect) -> Self {
        Self {
            name: "it".into(),
            kind: Kind::Martlet,
            address,
            host: address.to_string(),
            token: None,
            prefix: "t-".into(),
            number: 0,
            key: None,
            reader: dialect,
            publisher: dialect,
            entrance: None,
            seen: None,
        }
    }

    /// The name of a channel. No two runs have the same.
    pub fn channel(&self, number: usize) -> String {
        format!("{}{}-{:02}-{number:06}", self.prefix, std::process::id(), self.number)
    }

    /// The token as the end of a query, if there is one.
    pub fn token_query(&self) -> String {
        self.token.as_ref().map(|token| format!("&token={token}")).unwrap_or_default()
    }
}

/// The address of a host and port.
pub fn resolve(host: &str) -> Result<SocketAddr, Failure> {
    let unknown = |why: String| Failure::failed(format!("{host} cannot be found: {why}"));
    let mut addresses = host.to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    addresses.next().ok_or_else(|| unknown("it has no address".into()))
}

/// Host and port of an address, and what stands before an `@`.
pub fn plain_authority(url: &str) -> Result<(String, Option<String>), Failure> {
    let wrong = |message: String| Err(Failure::wrong(message));
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    if matches!(scheme, "https" | "wss" | "rediss" | "mqtts" | "tls") {
        return wrong(format!("{scheme} cannot be measured: the generator speaks plain HTTP"));
    }
    let rest = rest.trim_end_matches('/');
    let (user, authority) = match rest.rsplit_once('@') {
        Some((user, authority)) => (Some(user.to_owned()), authority),
        None => (None, rest),
    };
    if authority.is_empty() || authority.contains(['/', '?', '#']) {
        return wrong(format!("{url} is not an address such as http://127.0.0.1:8000"));
    }
    let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if port { authority.to_owned() } else { format!("{authority}:80") };
    Ok((host, user.filter(|user| !user.is_empty())))
}

#[cfg(test)]
mod tests;
