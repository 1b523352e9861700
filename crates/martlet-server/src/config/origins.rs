//! Which web pages may connect, by the origin that their browser sends.

#[cfg(test)]
mod tests;

/// The origins that may connect besides the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<Allowed>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    Any,
    Pattern { scheme: String, host: Host, port: Port },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Exact(String),
    /// Everything below this name, which begins with a dot.
    Below(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    /// As written; empty for the scheme's own.
    Exact(String),
}

impl Origins {
    /// Reads patterns; the first that is not one is given back.
    pub fn parse(patterns: &[String]) -> Result<Self, usize> {
        let read = |(index, text): (usize, &String)| Allowed::parse(text).ok_or(index);
        patterns.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Pages that are served from this machine, on any port.
    pub fn this_machine() -> Self {
        let hosts = ["localhost", "127.0.0.1", "[::1]"];
        let patterns = hosts.iter().flat_map(|host| {
            ["http", "https"].map(|scheme| Allowed::Pattern {
                scheme: scheme.into(),
                host: Host::Exact((*host).into()),
                port: Port::Any,
            })
        });
        Self(patterns.collect())
    }

    /// Whether a page of `origin` may connect to the server that it called `host` (the `Host`
    /// header or `:authority`, with its port if there is one).
    pub fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.0.contains(&Allowed::Any) {
            return true;
        }
        let Some((scheme, name, port)) = split(&origin) else { return false };
        let authority = &origin[scheme.len() + 3..];
        let own = host.is_some_and(|host| host.eq_ignore_ascii_case(authority));
        own || self.0.iter().any(|allowed| allowed.matches(scheme, name, port))
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        let (scheme, name, port) = split(&text)?;
        let host = match name.strip_prefix('*') {
            Some(below) if below.starts_with('.') && below.len() > 1 => Host::Below(below.into()),
            Some(_) => return None,
            None => Host::Exact(name.into()),
        };
        let number = port.is_empty() || port.parse::<u16>().is_ok();
        let port = match port {
            "*" => Port::Any,
            _ if !number => return None,
            port => Port::Exact(port.into()),
        };
        let plain = !text[text.find("://")? + 3..].contains(['/', '?', '#', '@', ' ', ',']);
        let stars = matches!(&host, Host::Exact(name) | Host::Below(name) if name.contains('*'));
        (plain && !stars).then(|| Self::Pattern { scheme: scheme.into(), host, port })
    }

    fn matches(&self, scheme: &str, name: &str, port: &str) -> bool {
        let Self::Pattern { scheme: my_scheme, host, port: my_port } = self else { return true };
        let host_matches = match host {
            Host::Exact(exact) => exact == name,
            Host::Below(below) => name.ends_with(&**below) && name.len() > below.len(),
        };
        let port_matches = match my_port {
            Port::Any => true,
            Port::Exact(exact) => exact == port,
        };
        scheme == my_scheme && host_matches && port_matches
    }
}

/// Splits an origin into scheme, host and port; the port is empty if there is none.
fn split(origin: &str) -> Option<(&str, &str, &str)> {
    let (scheme, authority) = origin.split_once("://")?;
    let colon = match authority.rfind(']') {
        Some(bracket) => authority[bracket..].find(':').map(|at| at + bracket),
        None => authority.find(':'),
    };
    let (host, port) = match colon {
        Some(at) => (&authority[..at], &authority[at + 1..]),
        None => (authority, ""),
    };
    (!scheme.is_empty() && !host.is_empty()).then_some((scheme, host, port))
}
