//! Reading: which channels there are, their history, and who is in them.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, RawQuery, State};
use http::HeaderMap;
use martlet_core::model::{ChannelName, Code, Refusal};
use martlet_core::session::{ChannelState, Event, Reply, Request, Start};
use martlet_protocol::plain;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::answer::{Outcome, Refused, json_of, object_of, unexpected};
use super::door::admit;
use crate::clock::Clock;
use crate::doors::Site;
use crate::keys::Scope;

/// How many channels or publications are answered unless the request says.
const PAGE: usize = 100;

#[derive(Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    prefix: String,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Listed {
    channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    subscribers: usize,
    members: usize,
}

#[derive(Serialize)]
struct List {
    channels: Vec<Listed>,
    more: bool,
}

/// `GET /v1/channels`: those that are followed or have members at this moment, on any node.
pub async fn list(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Outcome {
    admit(&site, &headers, Scope::Read)?;
    let Query(query) = query.map_err(|error| bad_query(error.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE).min(site.limits.history_page);
    let mut channels = site.reach.channels(&query.prefix, limit + 1).await;
    let more = channels.len() > limit;
    channels.truncate(limit);
    json_of(&List { channels: channels.into_iter().map(listed).collect(), more })
}

fn listed(state: ChannelState) -> Listed {
    Listed {
        channel: state.channel.to_string(),
        epoch: state.head.map(|head| head.epoch.to_string()),
        offset: state.head.map(|head| head.offset),
        subscribers: state.subscribers,
        members: state.members,
    }
}

#[derive(Deserialize)]
pub struct HistoryQuery {
    limit: Option<usize>,
    #[serde(default)]
    reverse: bool,
}

/// `GET /v1/channels/{channel}/history`
pub async fn history(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
    RawQuery(raw): RawQuery,
) -> Outcome {
    admit(&site, &headers, Scope::Read)?;
    let Query(query) = query.map_err(|error| bad_query(error.body_text()))?;
    let channel = parse(name)?;
    let start = start(&site, &channel, raw.as_deref().unwrap_or_default())?;
    let limit = query.limit.unwrap_or(PAGE).min(site.limits.history_page);
    let reverse = query.reverse;
    let request = Request::Read { channel: channel.clone(), start, limit, reverse };
    match site.mailboxes.ask(&channel, request).await? {
        Reply::History(page) => object_of(Event::History(page)),
        other => Err(unexpected(other)),
    }
}

/// Where `cursor` or `since` say, in the words of plain streams.
fn start(site: &Site, channel: &ChannelName, raw: &str) -> Result<Option<Start>, Refused> {
    let name = utf8_percent_encode(channel.as_str(), NON_ALPHANUMERIC);
    let query = format!("channel={name}&{raw}");
    let request = plain::Request { query: &query, ..plain::Request::default() };
    let query = plain::Query::parse(request, &site.limits, Clock::wall())?;
    let start = query.connect.subscribe.into_iter().next().map(|subscribe| subscribe.start);
    Ok(start.filter(|start| *start != Start::Now))
}

/// `GET /v1/channels/{channel}/presence`
pub async fn presence(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    name: Result<Path<String>, PathRejection>,
) -> Outcome {
    admit(&site, &headers, Scope::Read)?;
    let channel = parse(name)?;
    let limit = site.limits.presence_page;
    let request = Request::Members { channel: channel.clone(), limit };
    match site.mailboxes.ask(&channel, request).await? {
        Reply::Members { members, count } => object_of(Event::Presence { channel, members, count }),
        other => Err(unexpected(other)),
    }
}

fn parse(name: Result<Path<String>, PathRejection>) -> Result<ChannelName, Refused> {
    let Path(name) =
        name.map_err(|error| Refusal::because(Code::ChannelInvalid, error.body_text()))?;
    ChannelName::parse(&name)
        .map_err(|error| Refusal::because(Code::ChannelInvalid, error.to_string()).into())
}

fn bad_query(detail: String) -> Refused {
    Refusal::because(Code::Malformed, detail).into()
}
