//! Requests over HTTP/1.1 and HTTP/2. Every answer is held against the description of the API.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::node::{TestNode, soon};
use crate::openapi;

/// A client that keeps its connections.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    key: Option<String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request's parts.
#[derive(Clone)]
pub struct Ask<'a> {
    pub method: Method,
    pub path: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        write!(f, "{} {} {:?} {body:?}", self.method, self.path, self.headers)
    }
}

impl<'a> Ask<'a> {
    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, headers: Vec::new(), body: Vec::new() }
    }

    pub fn post(path: &'a str, body: impl Into<Vec<u8>>) -> Self {
        let new = Self { body: body.into(), ..Self::new(Method::POST, path) };
        new.with("content-type", "application/json")
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }
}

impl Http {
    pub fn new(node: &TestNode) -> Self {
        Self::version(node, false)
    }

    pub fn version(node: &TestNode, http2: bool) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        Self { client, url: node.url(), key: None }
    }

    /// The same client with an API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Ask::get(path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Ask::post(path, body.to_string())).await
    }

    pub async fn ask(&self, ask: Ask<'_>) -> Answer {
        let mut request =
            Request::builder().method(ask.method.clone()).uri(format!("{}{}", self.url, ask.path));
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let request = request.body(Full::new(ask.body.clone().into())).unwrap();
        let response = soon("an answer", self.client.request(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = soon("a body", body.collect()).await.unwrap().to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        openapi::check(&ask, &answer);
        answer
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of an answer that did what was asked.
    #[track_caller]
    pub fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Status and code of a refusal.
    #[track_caller]
    pub fn refused(&self) -> (u16, u64) {
        assert!(self.status >= 400, "{self:?}");
        (self.status, self.json()["code"].as_u64().unwrap())
    }

    pub fn header(&self, name: &str) -> &str {
        let name = HeaderName::try_from(name).unwrap();
        self.headers.get(name).map(HeaderValue::to_str).map_or("", |value| value.unwrap())
    }
}

/// One of a node's counts.
pub async fn count(node: &TestNode, name: &str) -> u64 {
    let metrics = Http::new(node).get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}
