//! Which pages may connect from a browser, and the headers that tell it so.
//!
//! The list is exact: no suffixes, no patterns. A page that is not on it gets no header at all.

use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, Method};
use martlet_core::model::{Code, Refusal};

/// The origins whose pages may connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    any: bool,
    same_host: bool,
    this_machine: bool,
    list: Vec<String>,
}

impl Origins {
    /// These origins, such as `https://example.org`; `*` stands for all of them.
    pub fn new<T: Into<String>>(origins: impl IntoIterator<Item = T>) -> Self {
        let mut all = Self::default();
        for origin in origins.into_iter().map(Into::into) {
            if origin == "*" {
                all.any = true;
            } else {
                all.list.push(origin.to_ascii_lowercase());
            }
        }
        all
    }

    /// Also the pages that this server itself has served: those whose origin names the host and
    /// port that the request was sent to.
    pub fn and_same_host(mut self) -> Self {
        self.same_host = true;
        self
    }

    /// Also the pages that were served from this machine by its own name, on any port. Unlike
    /// [`and_same_host`](Self::and_same_host) this holds against a foreign name that was made to
    /// point here (DNS rebinding), so it is what a server without any other protection needs.
    pub fn and_this_machine(mut self) -> Self {
        self.this_machine = true;
        self
    }

    /// Whether the page is on the list by name, which is what a reply with credentials needs.
    fn names(&self, origin: &str, host: Option<&str>) -> bool {
        let listed = self.list.iter().any(|known| known.eq_ignore_ascii_case(origin));
        let same_host = || self.same_host && host.is_some_and(|host| is_on_host(origin, host));
        let authority =
            || origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let this_machine = || self.this_machine && authority().is_some_and(is_of_this_machine);
        listed || same_host() || this_machine()
    }

    /// Checks the `Origin` of a request. Programs that are no browsers send none and are let in:
    /// the check protects a browser's user from strange pages, nothing else.
    ///
    /// Where only pages of this machine may connect, the request has to be addressed to this
    /// machine by its own name too: a page under a foreign name that points here sends no
    /// `Origin` with what it merely reads.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(host) = host_of(headers).filter(|_| self.this_machine)
            && !is_of_this_machine(host)
        {
            let detail = format!("{} is not a name of this machine", shorten(host));
            return Err(Refusal::because(Code::OriginDenied, detail));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        let single = origins.next().is_none();
        let text = origin.to_str().unwrap_or_default();
        if single && (self.any || self.names(text, host_of(headers))) {
            return Ok(());
        }
        Err(Refusal::because(Code::OriginDenied, shorten(text)))
    }
}

impl Origins {
    /// The same for what a page can put into itself without asking for permission, such as a
    /// script or a frame, and so for answers that a strange page could read: there is no `Origin`,
    /// and the browser has to say in another way which page it is.
    pub fn check_embedding(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check(headers)?;
        let field = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let site = field(HeaderName::from_static("sec-fetch-site"));
        if self.any || matches!(site, Some("same-origin" | "none")) {
            return Ok(());
        }
        let browser = || field(header::USER_AGENT).is_some_and(|name| name.starts_with("Mozilla/"));
        match field(header::REFERER) {
            Some(page) if self.names(origin_of(page), host_of(headers)) => Ok(()),
            None if site.is_none() && !browser() => Ok(()),
            page => {
                let page = page.map_or("a page that does not say which".into(), shorten);
                Err(Refusal::because(Code::OriginDenied, page))
            }
        }
    }
}

/// The origin of an address: what comes before its path.
fn origin_of(address: &str) -> &str {
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address[after_scheme..].find(['/', '?', '#']);
    end.map_or(address, |end| &address[..after_scheme + end])
}

fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_on_host(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    !host.is_empty() && authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// Whether a host, with its port if it has one, names this machine.
fn is_of_this_machine(authority: &str) -> bool {
    let named = |name: &str| {
        let rest = authority.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_number))
    };
    ["localhost", "127.0.0.1", "[::1]"].into_iter().any(named)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The fields of an answer that a page of another origin may read beyond the usual ones.
const EXPOSED: &str = "martlet-cursor, retry-after";

/// What browsers are told.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    /// The pages that may read the answers.
    pub origins: Origins,
    /// Whether cookies may come along. Only for origins that are named; never for `*`.
    pub credentials: bool,
}

impl Cors {
    /// Adds what an answer to this request needs.
    pub fn allow(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.readers(request).tell(answer);
    }

    /// Which pages may read the answer to this request.
    pub fn readers(&self, request: &HeaderMap) -> Readers {
        let origin = request.get(header::ORIGIN).filter(|_| self.origins.check(request).is_ok());
        let Some(origin) = origin else { return Readers::Nobody };
        let text = origin.to_str().unwrap_or_default();
        match self.origins.names(text, host_of(request)) {
            true => Readers::Page { origin: origin.clone(), credentials: self.credentials },
            false => Readers::Anybody,
        }
    }

    /// Whether this request asks for permission instead of asking for something.
    pub fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && request.contains_key(header::ORIGIN)
            && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The headers of the answer to a preflight, which has status 204 and no body.
    pub fn preflight(&self, request: &HeaderMap) -> HeaderMap {
        const FIELDS: [(HeaderName, &str); 3] = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, idempotency-key, last-event-id, x-api-key",
            ),
            // A day is the most that any browser keeps it for.
            (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        ];
        let mut answer = HeaderMap::new();
        self.allow(request, &mut answer);
        if answer.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            answer.extend(FIELDS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        }
        answer
    }
}

/// Which pages may read an answer. Far smaller than the fields that say so, for answers that are
/// long in coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    /// None but those of the server's own address.
    Nobody,
    /// All.
    Anybody,
    /// The page that asked.
    Page {
        /// Its origin.
        origin: HeaderValue,
        /// Whether cookies may come along.
        credentials: bool,
    },
}

impl Readers {
    /// Says so in an answer. `Vary` is always there, so that a cache never gives one page the
    /// permission of another.
    pub fn tell(self, answer: &mut HeaderMap) {
        answer.append(header::VARY, HeaderValue::from_static("origin"));
        let (origin, credentials) = match self {
            Self::Nobody => return,
            Self::Anybody => (HeaderValue::from_static("*"), false),
            Self::Page { origin, credentials } => (origin, credentials),
        };
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        if credentials {
            let yes = HeaderValue::from_static("true");
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

#[cfg(test)]
mod tests;
