//! Reading a key set from where it is: an address or a file. Nothing in a token has a say in
//! where that is, redirects are not followed, and time and size are bounded.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use http::uri::Authority;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::key::Algorithm;
use super::key_set::{KEY_SET_BYTES_MAX, KeySet, KeySetError};

/// How long keys stay fresh when the answer does not say.
const FRESH_DEFAULT: Duration = Duration::from_secs(600);

/// However short the answer says keys are fresh, we do not ask more often.
const FRESH_MIN: Duration = Duration::from_secs(60);

/// However long the answer says keys are fresh, we ask this often.
const FRESH_MAX: Duration = Duration::from_secs(86_400);

/// How often a file is looked at.
const FILE_EVERY: Duration = Duration::from_secs(10);

/// Why a key set could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it took longer than {0:?}")]
    Slow(Duration),
    #[error("no answer: {0}")]
    NoAnswer(#[from] hyper_util::client::legacy::Error),
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("the answer broke off, or is larger than {KEY_SET_BYTES_MAX} bytes")]
    Body,
    #[error("it cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Set(#[from] KeySetError),
    #[error("TLS cannot be used: {0}")]
    Tls(rustls::Error),
}

/// What a fetch brought.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The keys; `None` when they have not changed.
    pub set: Option<KeySet>,
    /// How long they need not be fetched again.
    pub fresh_for: Duration,
}

/// Where a key set is, and what we know of what is there.
#[derive(Debug)]
pub(super) enum Place {
    Url { address: Uri, etag: Option<HeaderValue> },
    File { path: PathBuf, seen: Option<(SystemTime, u64)> },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { address, .. } => address.fmt(f),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}

impl Place {
    pub fn url(address: Uri) -> Self {
        Self::Url { address, etag: None }
    }

    pub fn file(path: PathBuf) -> Self {
        Self::File { path, seen: None }
    }

    /// Reads the key set, unless it is as it was.
    pub async fn fetch(
        &mut self,
        only: Option<Algorithm>,
        timeout: Duration,
    ) -> Result<Fetched, FetchError> {
        match self {
            Self::Url { address, etag } => {
                let fetch = fetch_url(address, etag, only);
                tokio::time::timeout(timeout, fetch).await.map_err(|_| FetchError::Slow(timeout))?
            }
            Self::File { path, seen } => read_file(path, seen, only),
        }
    }
}

/// Reads an address that keys may be fetched from: `https` anywhere, `http` on this machine
/// only, since whoever is on the way could put his own keys there.
pub fn jwks_address(text: &str) -> Result<Uri, String> {
    let address: Uri = text.parse().map_err(|_| "this is not a URL".to_owned())?;
    let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if address.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("a URL with a name or password in it is not used".into());
    }
    if !address.authority().is_some_and(is_host_and_port) {
        return Err("this is not a URL with a host, and a number as its port if it has one".into());
    }
    match (address.scheme_str(), here) {
        (Some("https"), _) | (Some("http"), true) => Ok(address),
        (Some("http"), false) => Err("keys are fetched by https, except from this machine".into()),
        _ => Err("this is not an https URL".into()),
    }
}

/// Whether there is nothing but a host and perhaps a port from 0 to 65535; the library lets other
/// ports pass.
pub(crate) fn is_host_and_port(authority: &Authority) -> bool {
    let host = authority.host();
    match authority.as_str().strip_prefix(host) {
        Some("") => !host.is_empty(),
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()),
        None => false,
    }
}

async fn fetch_url(
    address: &Uri,
    etag: &mut Option<HeaderValue>,
    only: Option<Algorithm>,
) -> Result<Fetched, FetchError> {
    let mut request = Request::get(address).header(ACCEPT, "application/json");
    if let Some(etag) = &etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let request = request.body(Empty::new()).expect("an address that was approved is a good one");
    let response = client().map_err(FetchError::Tls)?.request(request).await?;
    let fresh_for = fresh_for(response.headers());
    match response.status() {
        StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Fetched { set: None, fresh_for }),
        StatusCode::OK => {
            let new_etag = response.headers().get(ETAG).cloned();
            let set = KeySet::parse(&body(response).await?, only)?;
            *etag = new_etag;
            Ok(Fetched { set: Some(set), fresh_for })
        }
        status => Err(FetchError::Status(status)),
    }
}

async fn body(response: Response<Incoming>) -> Result<Bytes, FetchError> {
    let body = Limited::new(response.into_body(), KEY_SET_BYTES_MAX);
    body.collect().await.map(|body| body.to_bytes()).map_err(|_| FetchError::Body)
}

/// A client for one fetch. Fetches are rare and may come from any worker, so that no connection
/// is worth keeping.
fn client() -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>, rustls::Error> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

fn fresh_for(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter();
    let max_age = directives
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .find_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok());
    max_age.map_or(FRESH_DEFAULT, Duration::from_secs).clamp(FRESH_MIN, FRESH_MAX)
}

fn read_file(
    path: &Path,
    seen: &mut Option<(SystemTime, u64)>,
    only: Option<Algorithm>,
) -> Result<Fetched, FetchError> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    let now_seen = (metadata.modified()?, metadata.len());
    if *seen == Some(now_seen) {
        return Ok(Fetched { set: None, fresh_for: FILE_EVERY });
    }
    let mut bytes = Vec::new();
    file.take(KEY_SET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    let set = KeySet::parse(&bytes, only)?;
    *seen = Some(now_seen);
    Ok(Fetched { set: Some(set), fresh_for: FILE_EVERY })
}
