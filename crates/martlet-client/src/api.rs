//! The backend's side: publish and ask by one HTTP request each, over connections that are kept.
//! Follow channels with [`Client`](crate::Client) instead.

mod body;
mod drain;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use martlet_core::model::{Appended, Cursor, UnixMillis};
use martlet_core::session::{Event, HistoryPage, Member};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::address::Address;
use crate::client::name;
use crate::error::Error;
use crate::http::{Http, read};
use crate::message::Message;
use crate::options::HistoryQuery;
use crate::tls::Tls;

pub use body::{ChannelInfo, Channels};
pub use drain::{DrainPlan, DrainProgress};

/// Characters of a channel that stand for themselves in a path or a query.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// What an [`Api`] can be told when it is made.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Which certificates are believed.
    pub tls: Tls,
    /// How long a request may take.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub answer_bytes: usize,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            tls: Tls::default(),
            timeout: Duration::from_secs(10),
            answer_bytes: 64 * 1024 * 1024,
        }
    }
}

/// The backend API of one server. Clones share its connections.
#[derive(Clone)]
pub struct Api {
    http: Http,
    key: Option<HeaderValue>,
    timeout: Duration,
    answer_bytes: usize,
}

impl Api {
    /// The API of the server at `url`, with an API key unless the server needs none.
    pub fn new(url: &str, key: Option<&str>) -> Result<Self, Error> {
        Self::with(url, key, ApiOptions::default())
    }

    /// The same with options.
    pub fn with(url: &str, key: Option<&str>, options: ApiOptions) -> Result<Self, Error> {
        let key = key.map(bearer).transpose()?;
        let http = Http::new(Address::parse(url)?, options.tls.config()?);
        Ok(Self { http, key, timeout: options.timeout, answer_bytes: options.answer_bytes })
    }

    /// Publishes, and waits until the store took it. Give the message a
    /// [`key`](Message::key) to be able to try again after a lost connection.
    pub async fn publish(&self, channel: &str, message: Message) -> Result<Appended, Error> {
        let draft = message.draft(name(channel)?);
        let answer = self.post("/v1/publish", body::publish(&draft)?).await?;
        body::published(&answer)
    }

    /// Publishes one message in many channels. Each has its own result, in the order given.
    pub async fn broadcast(
        &self,
        channels: &[&str],
        message: Message,
    ) -> Result<Vec<Result<Appended, Error>>, Error> {
        let channels: Result<Vec<_>, _> = channels.iter().map(|channel| name(channel)).collect();
        let channels = channels?;
        let Some(first) = channels.first() else { return Ok(Vec::new()) };
        let draft = message.draft(first.clone());
        let answer = self.post("/v1/broadcast", body::broadcast(&channels, &draft)?).await?;
        body::results(&answer, channels.len())
    }

    /// Publishes many messages in one request, in order. Each has its own result.
    pub async fn batch(
        &self,
        messages: Vec<(&str, Message)>,
    ) -> Result<Vec<Result<Appended, Error>>, Error> {
        let mut drafts = Vec::with_capacity(messages.len());
        for (channel, message) in messages {
            drafts.push(message.draft(name(channel)?));
        }
        let answer = self.post("/v1/batch", body::batch(&drafts)?).await?;
        body::results(&answer, drafts.len())
    }

    /// Reads a page of a channel's history.
    pub async fn history(&self, channel: &str, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let channel = name(channel)?;
        let mut path = format!("/v1/channels/{}/history?", escaped(channel.as_str()));
        path.push_str(&format!("limit={}&reverse={}", query.limit, query.reverse));
        if let Some(position) = query.position {
            let cursor = Cursor::new(vec![(channel, position)]).to_string();
            path.push_str(&format!("&cursor={}", escaped(&cursor)));
        } else if let Some(UnixMillis(since)) = query.since {
            path.push_str(&format!("&since={since}"));
        }
        match body::event("history", &self.get(&path).await?)? {
            Event::History(page) => Ok(page),
            _ => Err(Error::Foreign("it is no page of history".into())),
        }
    }

    /// Who is in a channel; the number counts those beyond the server's page too.
    pub async fn presence(&self, channel: &str) -> Result<(Vec<Member>, usize), Error> {
        let channel = name(channel)?;
        let path = format!("/v1/channels/{}/presence", escaped(channel.as_str()));
        match body::event("presence", &self.get(&path).await?)? {
            Event::Presence { members, count, .. } => Ok((members, count)),
            _ => Err(Error::Foreign("it is no list of members".into())),
        }
    }

    /// The channels whose name begins with `prefix`, `limit` at most.
    pub async fn channels(&self, prefix: &str, limit: usize) -> Result<Channels, Error> {
        let path = format!("/v1/channels?prefix={}&limit={limit}", escaped(prefix));
        body::channels(&self.get(&path).await?)
    }

    async fn get(&self, path: &str) -> Result<Bytes, Error> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<Bytes, Error> {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Error> {
        let address = self.http.address();
        let mut request = Request::builder().method(method).uri(address.http(path));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| Error::Address(address.authority().into()))?;
        let answer = async {
            let response = self.http.send(request).await?;
            read(response, self.answer_bytes).await
        };
        tokio::time::timeout(self.timeout, answer)
            .await
            .unwrap_or(Err(Error::Timeout("the answer")))
    }
}

impl std::fmt::Debug for Api {
    /// The key is a secret and stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("server", self.http.address()).finish_non_exhaustive()
    }
}

fn bearer(key: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(format!("Bearer {key}"));
    let mut value =
        value.map_err(|_| Error::Data("the API key has forbidden characters".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
