//! Readers that poll: plainly, as scripts, and in a session. Each poll is a request of its own, on
//! a connection of its own, and so goes to another node than the one before.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::http::Ask;
use super::{PAUSE, Reader, Way};

/// How long a poll waits for something, in seconds, and how long its answer is waited for.
const WAIT: u64 = 2;
const ANSWER: Duration = Duration::from_secs(6);

impl Reader {
    /// Plain polls, one after the other.
    pub(super) async fn polls(&self) -> io::Result<()> {
        loop {
            while self.asleep.load(Ordering::Relaxed) {
                tokio::time::sleep(PAUSE).await;
            }
            let place = match self.cursor() {
                Some(cursor) => format!("&cursor={cursor}&wait={WAIT}"),
                None => "&wait=0".to_owned(),
            };
            let scripts = self.way == Way::Jsonp;
            let (door, callback) = if scripts { ("jsonp", "&callback=f") } else { ("poll", "") };
            let path = format!("/v1/{door}?channel={}{place}{callback}", self.channel);
            let (status, body) = Ask::get(&path).whole(self.at, ANSWER).await?;
            self.notes.moved();
            self.notes.heard(format!("{status} {body}"));
            match status {
                200 => self.take_all(&body, scripts)?,
                204 => {}
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn take_all(&self, body: &str, scripts: bool) -> io::Result<()> {
        let lines = match scripts {
            true => body.trim_start_matches("/**/f([").trim_end().trim_end_matches("]);"),
            false => body,
        };
        // Only what is whole counts.
        let ends = |line: &str| line.trim_end_matches(',').to_owned();
        let events: Result<Vec<Value>, _> = lines
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(&ends(line)))
            .collect();
        events?.iter().for_each(|event| self.take(event));
        Ok(())
    }

    /// A session that polls, until it is lost.
    pub(super) async fn session_of_polls(&self) -> io::Result<()> {
        let (mut grant, mut session) = (None, None);
        loop {
            let connect = self.connect(grant.as_ref(), session.as_ref());
            let ask = Ask::post("/v1/poll?protocol=martlet.v1.json", &connect);
            let (status, body) = ask.whole(self.at, ANSWER).await?;
            let Some(mut batch) = self.take_batch(status, &body, &mut grant, &mut session)? else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            loop {
                let key = session.clone().unwrap_or_default();
                let path = format!("/v1/poll?session={key}&batch={batch}&wait={WAIT}");
                let polled = Ask::get(&path).whole(self.at, ANSWER).await;
                let Ok((status, body)) = polled else { break };
                self.notes.moved();
                match self.take_batch(status, &body, &mut grant, &mut session)? {
                    Some(number) => batch = number,
                    None if status == 204 => {}
                    // Whoever took it is away, or has forgotten the session.
                    None if status == 503 || status == 502 => tokio::time::sleep(PAUSE).await,
                    None => break,
                }
            }
        }
    }

    fn connect(&self, grant: Option<&String>, session: Option<&String>) -> String {
        let mut subscribe = json!({"channel": self.channel});
        if let Some(place) = self.notes.place() {
            subscribe["epoch"] = place.epoch.to_string().into();
            subscribe["offset"] = place.offset.into();
        }
        let mut connect = json!({"subscribe": [subscribe]});
        if let (Some(grant), Some(session)) = (grant, session) {
            connect["grant"] = grant.clone().into();
            connect["session"] = session.clone().into();
        }
        json!({"id": 1, "connect": connect}).to_string()
    }

    /// Takes the events of a batch; gives its number, unless it is none or says that it is over.
    fn take_batch(
        &self,
        status: u16,
        body: &str,
        grant: &mut Option<String>,
        session: &mut Option<String>,
    ) -> io::Result<Option<u64>> {
        self.notes.heard(format!("{status} {body}"));
        if status != 200 {
            return Ok(None);
        }
        let mut batch = None;
        for line in body.lines().filter(|line| !line.is_empty()) {
            let event: Value = serde_json::from_str(line)?;
            if let Some(connected) = event.get("connected") {
                *grant = connected["grant"].as_str().map(str::to_owned);
                *session = connected["session"].as_str().map(str::to_owned);
            }
            self.take(&event);
            batch = event["batch"].as_u64().or(batch);
            // A channel that is refused for now is asked for again, by beginning anew.
            if event.get("close").or(event.get("error")).is_some() {
                return Ok(None);
            }
        }
        Ok(batch)
    }
}
