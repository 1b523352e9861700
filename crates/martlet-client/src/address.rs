//! The address of a server, as a user gives it, and the addresses of its doors.

use http::Uri;

use crate::error::Error;

/// Where a server is: scheme, host, port, and the path under which it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    secure: bool,
    authority: String,
    host: String,
    port: u16,
    base: String,
}

impl Address {
    /// Reads `http://HOST:PORT/PATH`, also with `https`, `ws` and `wss`; without a scheme it is
    /// `http`. A query, a fragment or a password in it is refused.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or_else(|| Error::Address(text.into()))
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = if text.contains("://") { text.into() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let foreign = authority.as_str().contains('@') || uri.query().is_some();
        if foreign || whole.contains('#') || authority.host().is_empty() {
            return None;
        }
        // A colon without digits behind it would be taken for no port at all.
        if authority.port().is_none() && authority.as_str() != authority.host() {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Some(Self {
            secure,
            authority: authority.as_str().into(),
            host: authority.host().trim_start_matches('[').trim_end_matches(']').into(),
            port,
            base: uri.path().trim_end_matches('/').into(),
        })
    }

    /// Whether it is one of TLS.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host's name or number, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, for people.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The address of a door for HTTP requests.
    pub fn http(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.base)
    }

    /// The address of a door for WebSocket.
    pub fn websocket(&self, path: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}{path}", self.authority, self.base)
    }
}

#[cfg(test)]
mod tests;
