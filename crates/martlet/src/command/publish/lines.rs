//! `martlet pub --lines`: each line of standard input, in order and exactly once. Lines that come
//! faster than the server answers go together in one request.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read as _};
use std::time::{Duration, Instant};

use martlet_client::{Api, Code, Error, Message, unique};
use martlet_core::time::Backoff;
use tokio::sync::mpsc;

use super::progress::Progress;
use super::{Arguments, failure, unread};
use crate::failure::Failure;

/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Lines that wait to be published; the writer of the pipe then waits too.
const WAITING: usize = 1_000;

/// The most lines of one request, and about how many bytes of data they have.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 16 * 1024;

/// The server remembers idempotency keys for five minutes: no line is tried for longer.
const PATIENCE: Duration = Duration::from_secs(240);

/// A line that is not published yet.
struct Line {
    number: u64,
    bytes: usize,
    message: Message,
}

/// What became of the lines of one request.
enum Outcome {
    /// Some were published.
    Some,
    /// None; try again after this time at least.
    Again(Error),
    /// The request was too large.
    TooLarge,
}

/// Publishes until standard input ends, or Ctrl-C ends it.
pub async fn run(arguments: &Arguments, api: &Api) -> Result<(), Failure> {
    let stem = match &arguments.key {
        Some(key) => key.clone(),
        None => unique().map_err(|error| failure(&error))?,
    };
    let mut lines = Lines::new(arguments, api, stem);
    let mut input = input();
    while lines.fill(&mut input).await? {
        lines.publish().await?;
    }
    lines.progress.finish();
    Ok(())
}

/// Reads standard input in a thread of its own: a read from a pipe cannot be awaited.
fn input() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut stdin = BufReader::new(std::io::stdin());
        loop {
            let line = read_line(&mut stdin).transpose();
            let Some(line) = line else { return };
            let over = line.is_err();
            if sender.blocking_send(line).is_err() || over {
                return;
            }
        }
    });
    receiver
}

/// The next line without its end; `None` at the end of the input. A last line needs no line feed.
fn read_line(source: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = source.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 > LINE_BYTES_MAX {
        let error = format!("a line is longer than {LINE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
    }
    line.pop_if(|byte| *byte == b'\n');
    line.pop_if(|byte| *byte == b'\r');
    Ok(Some(line))
}

/// The lines that wait, and what is known of the server.
struct Lines<'a> {
    arguments: &'a Arguments,
    api: &'a Api,
    stem: String,
    waiting: VecDeque<Line>,
    bytes: usize,
    read: u64,
    /// The most lines of one request, as far as is known.
    batch: usize,
    progress: Progress,
    backoff: Backoff,
    /// Since when nothing was published although it was tried.
    stuck: Option<Instant>,
}

impl<'a> Lines<'a> {
    fn new(arguments: &'a Arguments, api: &'a Api, stem: String) -> Self {
        Self {
            arguments,
            api,
            stem,
            waiting: VecDeque::new(),
            bytes: 0,
            read: 0,
            batch: BATCH,
            progress: Progress::new(),
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
            stuck: None,
        }
    }

    /// Takes in the lines that are there, and waits for one if there is none. False at the end.
    async fn fill(
        &mut self,
        input: &mut mpsc::Receiver<std::io::Result<Vec<u8>>>,
    ) -> Result<bool, Failure> {
        if self.waiting.is_empty() {
            let line = tokio::select! {
                line = input.recv() => line,
                _ = tokio::signal::ctrl_c() => None,
            };
            let Some(line) = line else { return Ok(false) };
            self.take(line)?;
        }
        while self.waiting.len() < BATCH && self.bytes < BATCH_BYTES {
            let Ok(line) = input.try_recv() else { break };
            self.take(line)?;
        }
        Ok(true)
    }

    fn take(&mut self, line: std::io::Result<Vec<u8>>) -> Result<(), Failure> {
        let data = line.map_err(|error| unread("standard input", &error))?;
        self.read += 1;
        let (number, bytes) = (self.read, data.len());
        let message = self.arguments.message(data, format!("{}-{number}", self.stem))?;
        self.bytes += bytes;
        self.waiting.push_back(Line { number, bytes, message });
        Ok(())
    }

    /// Publishes some of the lines that wait, or waits before the next try.
    async fn publish(&mut self) -> Result<(), Failure> {
        match self.request().await? {
            Outcome::Some => {
                self.backoff.reset();
                self.stuck = None;
            }
            Outcome::TooLarge => self.batch = (self.batch.min(self.waiting.len()) / 2).max(1),
            Outcome::Again(why) => self.wait(&why).await?,
        }
        Ok(())
    }

    async fn request(&mut self) -> Result<Outcome, Failure> {
        let channel = self.arguments.channel.as_str();
        let lines = self.waiting.iter().take(self.batch);
        let messages: Vec<_> = lines.map(|line| (channel, line.message.clone())).collect();
        let several = messages.len() > 1;
        match self.api.batch(messages).await {
            Ok(results) => self.take_results(results),
            Err(error) => match error.code() {
                Some(Code::BatchTooLarge | Code::FrameTooLarge) if several => Ok(Outcome::TooLarge),
                _ if self.worth_another_try(&error) => Ok(Outcome::Again(error)),
                _ => Err(failure(&error)),
            },
        }
    }

    /// A server that never answered is rather not there than away for a moment.
    fn worth_another_try(&self, error: &Error) -> bool {
        let answered = self.progress.lines() > 0;
        match error {
            Error::Unreachable { .. } => answered,
            // A proxy's answer while the server behind it is away.
            Error::Foreign(_) | Error::Later { .. } => answered,
            other => other.temporary(),
        }
    }

    /// Lines that were published go; those that may be later stay, in order.
    fn take_results<T>(&mut self, results: Vec<Result<T, Error>>) -> Result<Outcome, Failure> {
        let tried: Vec<Line> = self.waiting.drain(..results.len()).collect();
        let (mut published, mut again, mut why) = (0, Vec::new(), None);
        for (line, result) in tried.into_iter().zip(results) {
            match result {
                Ok(_) => {
                    published += 1;
                    self.bytes -= line.bytes;
                }
                Err(error) if error.temporary() => {
                    again.push(line);
                    why.get_or_insert(error);
                }
                Err(error) => {
                    self.progress.add(published);
                    self.progress.say(&format!("line {} was refused", line.number));
                    return Err(failure(&error));
                }
            }
        }
        again.into_iter().rev().for_each(|line| self.waiting.push_front(line));
        self.progress.add(published);
        Ok(match why {
            Some(why) => Outcome::Again(why),
            None => Outcome::Some,
        })
    }

    async fn wait(&mut self, why: &Error) -> Result<(), Failure> {
        let since = *self.stuck.get_or_insert_with(|| {
            self.progress.say(&format!("{why}; trying again"));
            Instant::now()
        });
        if since.elapsed() > PATIENCE {
            let left = self.waiting.len();
            self.progress.say(&format!("giving up with {left} lines that are not published"));
            return Err(failure(why));
        }
        let random = unique().ok().and_then(|text| u64::from_str_radix(&text[..16], 16).ok());
        let wait = self.backoff.next(random.unwrap_or(u64::MAX / 2));
        let advised = match why {
            Error::Refused(refused) => refused.after.unwrap_or_default().min(PATIENCE),
            Error::Later { after, .. } => (*after).min(PATIENCE),
            _ => Duration::ZERO,
        };
        tokio::time::sleep(wait.max(advised)).await;
        Ok(())
    }
}
