//! Publishing: one, one to many channels, many at once.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use http::{HeaderMap, Response, header};
use martlet_core::model::{Appended, ChannelName, Code, Draft, Refusal};
use martlet_core::session::{Reply, Request};
use martlet_protocol::native::json::{decode_draft, draft, encode_receipt};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::BATCH_MAX;
use super::answer::{Outcome, Refused, json_bytes, refusal_json, unexpected};
use super::door::admit;
use crate::doors::Site;
use crate::keys::Scope;

/// About how long a receipt is.
const RECEIPT_BYTES: usize = 160;

/// `POST /v1/publish`
pub async fn publish(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> Outcome {
    admit(&site, &headers, Scope::Publish)?;
    let mut draft = decode_draft(&body, &site.limits)?;
    take_key(&site, &headers, &mut draft)?;
    let channel = draft.channel.clone();
    let reply = site.mailboxes.ask(&channel, Request::Publish(draft)).await?;
    let mut json = Vec::with_capacity(RECEIPT_BYTES);
    encode_receipt(&channel, &appended(reply)?, &mut json);
    Ok(json_bytes(json))
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
    Ok(all(&site, drafts).await)
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
    if lines {
        let bodies = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let bodies: Vec<_> = bodies.take(BATCH_MAX + 1).collect();
        check_count(bodies.len())?;
        let drafts = bodies.into_iter().map(|line| Ok(decode_draft(line, &site.limits)?));
        Ok(all(&site, drafts).await)
    } else {
        let batch: Batch<'_> = serde_json::from_slice(&body).map_err(malformed)?;
        check_count(batch.publish.len())?;
        let drafts = batch.publish.into_iter().map(|raw| Ok(draft(raw, &site.limits)?));
        Ok(all(&site, drafts).await)
    }
}

/// Publishes all of them; each is done or refused by itself. Those of one channel stay in order.
async fn all(site: &Site, drafts: impl Iterator<Item = Result<Draft, Refused>>) -> Response<Body> {
    let mut good = Vec::with_capacity(drafts.size_hint().0);
    let asked: Vec<Result<_, Refused>> = drafts
        .map(|draft| {
            let draft = draft?;
            let channel = draft.channel.clone();
            good.push(draft);
            Ok(channel)
        })
        .collect();
    let mut replies = site.mailboxes.publish(good).await.into_iter();
    let results = asked.into_iter().map(|channel| {
        let channel = channel?;
        let reply = replies.next().ok_or(Code::Internal)?;
        Ok((channel, appended(reply)?))
    });
    json_bytes(results_json(results))
}

/// `{"results":[…]}` with a receipt or an error for each.
fn results_json(
    results: impl ExactSizeIterator<Item = Result<(ChannelName, Appended), Refused>>,
) -> Vec<u8> {
    let mut json = Vec::with_capacity((results.len() + 1) * RECEIPT_BYTES);
    json.extend_from_slice(b"{\"results\":[");
    for (i, result) in results.enumerate() {
        if i > 0 {
            json.push(b',');
        }
        match result {
            Ok((channel, appended)) => encode_receipt(&channel, &appended, &mut json),
            Err(Refused(refusal)) => {
                json.extend_from_slice(b"{\"error\":");
                json.extend_from_slice(&refusal_json(&refusal));
                json.push(b'}');
            }
        }
    }
    json.extend_from_slice(b"]}");
    json
}

fn appended(reply: Reply) -> Result<Appended, Refused> {
    match reply {
        Reply::Published(appended) => Ok(appended),
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
