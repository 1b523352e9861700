//! Publishing: one, one to many channels, many at once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use futures_util::future::join_all;
use http::{HeaderMap, header};
use martlet_core::model::{Appended, ChannelName, Code, Draft, Refusal};
use martlet_core::session::{Reply, Request};
use martlet_protocol::native::json::decode_draft;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::BATCH_MAX;
use super::answer::{Outcome, Refused, json_of, refusal_json, unexpected};
use super::door::admit;
use crate::doors::Site;
use crate::keys::Scope;

#[derive(Serialize)]
struct Receipt {
    channel: String,
    id: String,
    epoch: String,
    offset: u64,
    time: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

impl Receipt {
    fn new(channel: &ChannelName, appended: &Appended) -> Self {
        Self {
            channel: channel.to_string(),
            id: appended.id.to_string(),
            epoch: appended.position.epoch.to_string(),
            offset: appended.position.offset,
            time: appended.time.0,
            duplicate: appended.duplicate,
        }
    }
}

/// One of several operations: done, or not.
#[derive(Serialize)]
#[serde(untagged)]
enum Each {
    Done(Receipt),
    Refused { error: Box<RawValue> },
}

#[derive(Serialize)]
struct Results {
    results: Vec<Each>,
}

/// `POST /v1/publish`
pub async fn publish(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    admit(&site, &headers, Scope::Publish)?;
    let mut draft = decode_draft(&body, &site.limits)?;
    take_key(&site, &headers, &mut draft)?;
    json_of(&append(&site, draft).await?)
}

/// `POST /v1/broadcast`
pub async fn broadcast(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    #[derive(Deserialize)]
    struct To {
        channels: Vec<String>,
    }
    admit(&site, &headers, Scope::Publish)?;
    let to: To = serde_json::from_slice(&body).map_err(malformed)?;
    check_count(to.channels.len())?;
    let mut draft = decode_draft(&with_channel(&body)?, &site.limits)?;
    take_key(&site, &headers, &mut draft)?;
    let draft_in = |name: &String| Ok(Draft { channel: channel(name)?, ..draft.clone() });
    let drafts = to.channels.iter().map(draft_in);
    json_of(&all(&site, drafts).await)
}

/// `POST /v1/batch`
pub async fn batch(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    #[derive(Deserialize)]
    struct Batch<'a> {
        #[serde(borrow)]
        publish: Vec<&'a RawValue>,
    }
    admit(&site, &headers, Scope::Publish)?;
    let lines = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-ndjson"));
    let decode = |text: &[u8]| decode_draft(text, &site.limits).map_err(Refused::from);
    let results = if lines {
        let bodies = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let bodies: Vec<_> = bodies.take(BATCH_MAX + 1).collect();
        check_count(bodies.len())?;
        all(&site, bodies.into_iter().map(decode)).await
    } else {
        let batch: Batch<'_> = serde_json::from_slice(&body).map_err(malformed)?;
        check_count(batch.publish.len())?;
        all(&site, batch.publish.into_iter().map(|raw| decode(raw.get().as_bytes()))).await
    };
    json_of(&results)
}

/// Publishes all of them; each is done or refused by itself. They are asked for at once and in
/// order, so those of one channel stay in order.
async fn all(site: &Site, drafts: impl Iterator<Item = Result<Draft, Refused>>) -> Results {
    let each = drafts.map(|draft| async {
        match draft {
            Ok(draft) => append(site, draft).await,
            Err(refused) => Err(refused),
        }
    });
    let done = join_all(each).await;
    Results { results: done.into_iter().map(Each::of).collect() }
}

impl Each {
    fn of(outcome: Result<Receipt, Refused>) -> Self {
        outcome.map_or_else(|refused| Self::refused(&refused.0), Self::Done)
    }

    fn refused(refusal: &Refusal) -> Self {
        let json = String::from_utf8(refusal_json(refusal)).expect("JSON is UTF-8");
        Self::Refused { error: RawValue::from_string(json).expect("it was written as JSON") }
    }
}

async fn append(site: &Site, draft: Draft) -> Result<Receipt, Refused> {
    let channel = draft.channel.clone();
    match site.mailboxes.ask(&channel, Request::Publish(draft)).await? {
        Reply::Published(appended) => Ok(Receipt::new(&channel, &appended)),
        other => Err(unexpected(other)),
    }
}

/// The `Idempotency-Key` of the request, unless the body has a key.
fn take_key(site: &Site, headers: &HeaderMap, draft: &mut Draft) -> Result<(), Refused> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(()) };
    let key = key.to_str().map_err(|_| Code::NameInvalid)?;
    let readable = !key.is_empty() && !key.contains(char::is_control);
    if !readable || key.len() > site.limits.name_bytes {
        return Err(Refusal::because(Code::NameInvalid, "Idempotency-Key").into());
    }
    draft.idempotency_key.get_or_insert_with(|| key.into());
    Ok(())
}

fn channel(name: &str) -> Result<ChannelName, Refused> {
    ChannelName::parse(name)
        .map_err(|error| Refusal::because(Code::ChannelInvalid, error.to_string()).into())
}

fn check_count(count: usize) -> Result<(), Refused> {
    if count > BATCH_MAX {
        let detail = format!("at most {BATCH_MAX}");
        return Err(Refusal::because(Code::BatchTooLarge, detail).into());
    }
    Ok(())
}

fn malformed(error: serde_json::Error) -> Refused {
    Refusal::because(Code::Malformed, error.to_string()).into()
}

/// The body of a broadcast as that of a publish, to a channel that stands for all of them.
fn with_channel(body: &[u8]) -> Result<Vec<u8>, Refused> {
    let begin = body.iter().position(|byte| *byte == b'{').ok_or(Code::Malformed)? + 1;
    Ok([&body[..begin], b"\"channel\":\"any\",", &body[begin..]].concat())
}
