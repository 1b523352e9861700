//! What a backend does to its users' sessions: make them follow, stop following, or end.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use martlet_core::model::{ChannelName, ClientId, Close, Code, Refusal, SessionKey, UserId};
use serde::{Deserialize, Serialize};

use super::answer::{Outcome, Refused, json_of};
use super::door::admit;
use crate::clock::Clock;
use crate::doors::Site;
use crate::keys::Scope;
use crate::mail::{Control, Whom};

/// The longest reason for a disconnect, in bytes.
const REASON_BYTES_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    user: Option<String>,
    client: Option<String>,
    session: Option<String>,
    channel: Option<String>,
    #[serde(default)]
    reconnect: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Count {
    sessions: usize,
}

/// `POST /v1/subscribe`
pub async fn subscribe(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    let about = read(&site, &headers, &body)?;
    let (whom, channel) = (about.whom()?, about.channel()?);
    let known = site.namespaces.of(&channel);
    known.map_err(|error| Refusal::because(Code::NamespaceUnknown, error.to_string()))?;
    control(&site, Control::Subscribe(whom, channel)).await
}

/// `POST /v1/unsubscribe`
pub async fn unsubscribe(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Bytes,
) -> Outcome {
    let about = read(&site, &headers, &body)?;
    control(&site, Control::Unsubscribe(about.whom()?, about.channel()?)).await
}

/// `POST /v1/disconnect`
pub async fn disconnect(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    let about = read(&site, &headers, &body)?;
    let code = if about.reconnect { Code::Reconnect } else { Code::Disconnected };
    let detail = about.reason.clone().map(String::into_boxed_str);
    if detail.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        let detail = format!("a reason has at most {REASON_BYTES_MAX} bytes");
        return Err(Refusal::because(Code::Malformed, detail).into());
    }
    let close = Close { detail, ..code.into() };
    control(&site, Control::Disconnect { whom: about.whom()?, close, at: Clock::wall() }).await
}

fn read(site: &Site, headers: &HeaderMap, body: &[u8]) -> Result<About, Refused> {
    admit(site, headers, Scope::Sessions)?;
    let read = serde_json::from_slice(body);
    read.map_err(|error| Refusal::because(Code::Malformed, error.to_string()).into())
}

impl About {
    fn whom(&self) -> Result<Whom, Refused> {
        let whom = match (&self.user, &self.client, &self.session) {
            (Some(user), None, None) => UserId::parse(user).map(Whom::User),
            (None, Some(client), None) => ClientId::parse(client).map(Whom::Client),
            (None, None, Some(key)) => SessionKey::parse(key).map(Whom::Session),
            _ => None,
        };
        let detail = "name either a user, a client or a session";
        whom.ok_or_else(|| Refusal::because(Code::Malformed, detail).into())
    }

    fn channel(&self) -> Result<ChannelName, Refused> {
        let name = self.channel.as_deref().unwrap_or_default();
        ChannelName::parse(name)
            .map_err(|error| Refusal::because(Code::ChannelInvalid, error.to_string()).into())
    }
}

async fn control(site: &Site, control: Control) -> Outcome {
    json_of(&Count { sessions: site.reach.control(control).await? })
}
