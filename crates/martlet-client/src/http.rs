//! Requests over HTTP: one pool of connections to one server, and what its error bodies say.
//! Which requests there are is decided in `api` and `transport::sse`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use martlet_core::model::{ChannelName, Code};
use rustls::ClientConfig;
use serde::Deserialize;

use crate::address::Address;
use crate::error::{Error, Refused};

/// The longest error body that is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// How long a connection that nothing is asked of is kept.
const IDLE: Duration = Duration::from_secs(60);

/// A pool of connections to one server.
#[derive(Debug, Clone)]
pub struct Http {
    address: Address,
    pool: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Http {
    /// A pool of connections to `address`.
    pub fn new(address: Address, tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let pool = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { address, pool }
    }

    /// The same pool, for another node.
    pub fn to(&self, address: Address) -> Self {
        Self { address, pool: self.pool.clone() }
    }

    /// The server.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request. An answer that is no success is an error.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let answer = self.pool.request(request).await;
        let response = answer.map_err(|error| self.unreached(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        // A body that cannot be read changes nothing: the status speaks for itself.
        let body = Limited::new(body, ERROR_BYTES_MAX).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Err(refusal(head.status, &head.headers, &body))
    }

    fn unreached(&self, error: &hyper_util::client::legacy::Error) -> Error {
        let why = root(error);
        if error.is_connect() {
            Error::Unreachable { address: self.address.authority().into(), why }
        } else {
            Error::Lost(why)
        }
    }
}

/// Reads a whole body of at most `limit` bytes.
pub async fn read(response: Response<Incoming>, limit: usize) -> Result<Bytes, Error> {
    match Limited::new(response.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(Error::Lost(error.to_string())),
    }
}

/// The innermost reason: the outer ones only say that something failed.
pub fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The body of a martlet error.
#[derive(Deserialize)]
struct ErrorBody {
    code: u16,
    name: String,
    message: String,
    #[serde(default)]
    hint: String,
    channel: Option<String>,
    temporary: Option<bool>,
    after: Option<u64>,
}

/// What an error body says.
pub fn refused(body: &[u8]) -> Option<Refused> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let known = Code::from_number(body.code);
    Some(Refused {
        code: body.code,
        name: body.name,
        message: body.message,
        hint: body.hint,
        channel: body.channel.and_then(|channel| ChannelName::parse(&channel).ok()),
        temporary: body.temporary.unwrap_or(known.is_some_and(Code::temporary)),
        after: body.after.map(Duration::from_millis),
    })
}

/// What an answer without success means.
pub fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let after = retry_after(headers);
    match (refused(body), after) {
        (Some(refused), _) => Refused { after: refused.after.or(after), ..refused }.into(),
        (None, Some(after)) if status.as_u16() >= 400 => {
            Error::Later { status: status.as_u16(), after }
        }
        (None, _) => Error::Foreign(format!("HTTP status {status}")),
    }
}

/// How long to stay away. A date is left out: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(u32::into).map(Duration::from_secs)
}
