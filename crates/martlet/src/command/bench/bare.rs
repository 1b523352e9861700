//! The bare loops that a server is put beside: epoll on one thread and next to nothing else. They
//! know just enough of the protocol for the generator to take them for a server, and deliver
//! publications that are as long as martlet's. Here is what they have in common; how each delivers
//! is in a file of its own.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use rustix::event::epoll;

use super::{frame, serving};
use crate::failure::Failure;

mod cork;
mod each;
mod places;
mod sockets;

use cork::Cork;
pub use each::Each;
pub use places::Places;
use sockets::{LISTENER, Sockets};

/// How publications are brought to those who follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Each by itself: one send for each delivery.
    Bare,
    /// All of one turn together, by one send for each reader.
    Cork,
    /// From each reader's place in its channel's log to the end.
    Places,
}

impl Way {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Cork => "cork",
            Self::Places => "places",
        }
    }
}

const CONNECTED: &[u8] = br#"{"id":1,"connected":{"client":"0q3000000000a","session":"0000000000000000000000000k","resumed":false,"grant":"g1.bare","ping":25000,"pong":10000,"time":1700000000000,"frame_bytes":65536}}"#;

const SUBSCRIBED: &[u8] = br#"{"id":1,"subscribed":{"channel":"bare","epoch":"k3f9x2ab","offset":0,"head":0,"recovered":false}}"#;

/// How publications are brought to those who follow: what makes one loop different from another.
pub trait Delivery: Default {
    /// A reader follows a channel. Gives the frames of what it missed after `seen`, which are sent
    /// with the answer.
    fn follow(&mut self, channel: usize, reader: usize, seen: Option<u64>) -> &[u8];

    /// A reader is gone.
    fn forget(&mut self, channel: usize, reader: usize);

    /// A publication, framed, for all who follow the channel.
    fn publish(&mut self, channel: usize, frame: &[u8], sockets: &mut Sockets);

    /// All that came in this turn was read. Says whether there is more to send.
    fn turn(&mut self, sockets: &mut Sockets) -> bool;

    /// A reader's socket takes more.
    fn writable(&mut self, channel: usize, reader: usize, sockets: &mut Sockets);
}

/// Serves until its starter ends.
pub fn run(way: Way) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed(format!("the bare loop failed: {error}"));
    serving::end_with_starter()?;
    match way {
        Way::Bare => serve::<Each>(),
        Way::Cork => serve::<Cork>(),
        Way::Places => serve::<Places>(),
    }
    .map_err(failed)
}

fn serve<D: Delivery>() -> io::Result<()> {
    let mut bare = Bare::<D>::listen()?;
    // Where its starter looks for it.
    writeln!(io::stderr(), "listening on http://{}", bare.address()?)?;
    bare.serve()
}

/// A loop.
pub struct Bare<D> {
    sockets: Sockets,
    delivery: D,
    names: HashMap<Vec<u8>, usize>,
    offsets: Vec<u64>,
}

impl<D: Delivery> Bare<D> {
    /// Listens on a free port of this machine.
    pub fn listen() -> io::Result<Self> {
        let (delivery, names, offsets) = (D::default(), HashMap::new(), Vec::new());
        Ok(Self { sockets: Sockets::listen()?, delivery, names, offsets })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.sockets.address()
    }

    /// Serves until it fails.
    pub fn serve(&mut self) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        let mut busy = false;
        loop {
            self.sockets.wait(&mut events, busy)?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.sockets.accept()?,
                    number => self.work(number as usize, event.flags),
                }
            }
            busy = self.delivery.turn(&mut self.sockets);
            while let Some((reader, channel)) = self.sockets.gone.pop() {
                self.forget(reader, channel);
            }
        }
    }

    fn forget(&mut self, reader: usize, channel: Option<usize>) {
        if let Some(channel) = channel {
            self.delivery.forget(channel, reader);
        }
        self.sockets.free(reader);
    }

    /// Does what one client's socket is ready for.
    fn work(&mut self, number: usize, flags: epoll::EventFlags) {
        if flags.contains(epoll::EventFlags::OUT) {
            self.sockets.flush(number);
            if let Some(channel) = self.sockets.channel(number) {
                self.delivery.writable(channel, number, &mut self.sockets);
            }
        }
        if flags.intersects(!epoll::EventFlags::OUT) {
            for message in self.sockets.read(number) {
                self.obey(number, &message);
            }
        }
    }

    fn obey(&mut self, number: usize, message: &[u8]) {
        let channel = between(message, br#""channel":""#, b'"').map(|name| self.channel(name));
        if let Some(data) = between(message, br#""data":""#, b'"') {
            return self.publish(message, channel, data);
        }
        if message.starts_with(br#"{"pong""#) {
            return;
        }
        let mut answer = Vec::new();
        frame::write(frame::TEXT, CONNECTED, &mut answer);
        if let Some(channel) = channel {
            frame::write(frame::TEXT, SUBSCRIBED, &mut answer);
            let seen = between(message, br#""offset":"#, b'}').and_then(number_of);
            answer.extend_from_slice(self.delivery.follow(channel, number, seen));
            self.sockets.follow(number, channel);
        }
        self.sockets.send(number, &answer);
    }

    fn channel(&mut self, name: &[u8]) -> usize {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        self.offsets.push(0);
        self.names.insert(name.to_vec(), self.offsets.len() - 1);
        self.offsets.len() - 1
    }

    fn publish(&mut self, message: &[u8], channel: Option<usize>, data: &[u8]) {
        let (Some(channel), Some(name)) = (channel, between(message, br#""channel":""#, b'"'))
        else {
            return;
        };
        self.offsets[channel] += 1;
        let message = publication(name, self.offsets[channel], data);
        let mut framed = Vec::with_capacity(message.len() + 10);
        frame::write(frame::TEXT, &message, &mut framed);
        self.delivery.publish(channel, &framed, &mut self.sockets);
    }
}

/// The channel of this number, of a list that grows as far as it must.
fn of<T: Default>(channels: &mut Vec<T>, at: usize) -> &mut T {
    if channels.len() <= at {
        channels.resize_with(at + 1, T::default);
    }
    &mut channels[at]
}

/// A publication as long as martlet's.
fn publication(channel: &[u8], offset: u64, data: &[u8]) -> Vec<u8> {
    let mut out = br#"{"publication":{"channel":""#.to_vec();
    out.extend_from_slice(channel);
    let position = format!(
        r#"","id":"01hf7yat00{offset:016}","epoch":"k3f9x2ab","offset":{offset},"time":1700000000000,"from":{{"client":"0q3000000000a"}},"data":""#
    );
    out.extend_from_slice(position.as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(br#""}}"#);
    out
}

/// What stands between `mark` and the next `end`.
fn between<'a>(message: &'a [u8], mark: &[u8], end: u8) -> Option<&'a [u8]> {
    let start = message.windows(mark.len()).position(|bytes| bytes == mark)? + mark.len();
    let length = message[start..].iter().position(|byte| *byte == end)?;
    Some(&message[start..start + length])
}

fn number_of(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
