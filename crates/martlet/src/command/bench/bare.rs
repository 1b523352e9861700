//! The bare loop that a server is put beside: epoll on one thread, and one `send` for each
//! delivery. It knows just enough of the protocol for the generator to take it for a server, and
//! delivers publications that are as long as martlet's. Nothing can deliver them one by one for
//! less; what is cheaper puts several into one write.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::frame::{self, Scanner};
use crate::failure::Failure;

/// The event of the listener.
const LISTENER: u64 = u64::MAX;

const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Protocol: martlet.v1.json\r\n\r\n";

const CONNECTED: &[u8] = br#"{"id":1,"connected":{"client":"0q3000000000a","session":"0000000000000000000000000k","resumed":false,"grant":"g1.bare","ping":25000,"pong":10000,"time":1700000000000,"frame_bytes":65536}}"#;

const SUBSCRIBED: &[u8] = br#"{"id":1,"subscribed":{"channel":"bare","epoch":"k3f9x2ab","offset":0,"head":0,"recovered":false}}"#;

/// The longest request that is taken for a handshake.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Serves until its starter ends.
pub fn run() -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::failed(format!("the bare loop failed: {error}"));
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    let mut bare = Bare::listen().map_err(failed)?;
    let address = bare.address().map_err(failed)?;
    // Where its starter looks for it.
    writeln!(io::stderr(), "listening on http://{address}").map_err(failed)?;
    bare.serve().map_err(failed)
}

/// The loop.
pub struct Bare {
    listener: TcpListener,
    epoll: OwnedFd,
    clients: HashMap<u64, Client>,
    accepted: u64,
    channels: HashMap<Vec<u8>, Channel>,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Channel {
    readers: Vec<u64>,
    offset: u64,
}

struct Client {
    socket: TcpStream,
    head: Option<Vec<u8>>,
    scanner: Scanner,
    unsent: Vec<u8>,
    channel: Option<Vec<u8>>,
}

impl Bare {
    /// Listens on a free port of this machine.
    pub fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let number = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, number, epoll::EventFlags::IN)?;
        let (clients, channels) = (HashMap::new(), HashMap::new());
        Ok(Self { listener, epoll, clients, accepted: 0, channels, buffer: vec![0; 256 * 1024] })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it fails.
    pub fn serve(&mut self) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    number if self.work(number, event.flags).is_err() => self.forget(number),
                    _ => {}
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let number = epoll::EventData::new_u64(self.accepted);
            epoll::add(&self.epoll, &socket, number, epoll::EventFlags::IN)?;
            let client = Client {
                socket,
                head: Some(Vec::new()),
                scanner: Scanner::default(),
                unsent: Vec::new(),
                channel: None,
            };
            self.clients.insert(self.accepted, client);
            self.accepted += 1;
        }
    }

    fn forget(&mut self, number: u64) {
        let channel = self.clients.remove(&number).and_then(|client| client.channel);
        if let Some(channel) = channel.and_then(|channel| self.channels.get_mut(&channel)) {
            channel.readers.retain(|reader| *reader != number);
        }
    }

    /// Does what one client's socket is ready for. An error means that the client is gone.
    fn work(&mut self, number: u64, flags: epoll::EventFlags) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(&number) else { return Ok(()) };
        if flags.contains(epoll::EventFlags::OUT) {
            client.flush()?;
            if client.unsent.is_empty() {
                wait_for(&self.epoll, number, client, epoll::EventFlags::IN)?;
            }
        }
        if !flags.intersects(!epoll::EventFlags::OUT) {
            return Ok(());
        }
        let count = match client.socket.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut messages = Vec::new();
        client.take(&self.buffer[..count], &mut messages)?;
        messages.into_iter().try_for_each(|message| self.obey(number, &message))
    }

    fn obey(&mut self, number: u64, message: &[u8]) -> io::Result<()> {
        let channel = between(message, br#""channel":""#);
        if let Some(data) = between(message, br#""data":""#) {
            return self.publish(channel.unwrap_or_default(), data);
        }
        let Some(client) = self.clients.get_mut(&number) else { return Ok(()) };
        let mut answer = Vec::new();
        frame::write(frame::TEXT, CONNECTED, &mut answer);
        if let Some(channel) = channel {
            frame::write(frame::TEXT, SUBSCRIBED, &mut answer);
            client.channel = Some(channel.to_vec());
            self.channels.entry(channel.to_vec()).or_default().readers.push(number);
        }
        send(&self.epoll, number, client, &answer)
    }

    /// Frames a publication once, and sends it to each reader.
    fn publish(&mut self, name: &[u8], data: &[u8]) -> io::Result<()> {
        let Some(channel) = self.channels.get_mut(name) else { return Ok(()) };
        channel.offset += 1;
        let message = publication(name, channel.offset, data);
        let mut framed = Vec::with_capacity(message.len() + 10);
        frame::write(frame::TEXT, &message, &mut framed);
        let mut gone = Vec::new();
        for reader in &channel.readers {
            let Some(client) = self.clients.get_mut(reader) else { continue };
            if send(&self.epoll, *reader, client, &framed).is_err() {
                gone.push(*reader);
            }
        }
        gone.into_iter().for_each(|reader| self.forget(reader));
        Ok(())
    }
}

impl Client {
    /// Reads a handshake, then messages.
    fn take(&mut self, bytes: &[u8], messages: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut rest = bytes;
        if let Some(head) = &mut self.head {
            head.extend_from_slice(bytes);
            if !head.ends_with(b"\r\n\r\n") {
                let long = head.len() > HEAD_BYTES_MAX;
                return if long { Err(ErrorKind::InvalidData.into()) } else { Ok(()) };
            }
            self.head = None;
            rest = &[];
            self.socket.write_all(ACCEPTED)?;
        }
        let mut closed = false;
        let scanned = self.scanner.feed(rest, |frame| {
            closed |= frame.opcode == frame::CLOSE;
            if frame.opcode == frame::TEXT {
                let mut message = Vec::new();
                frame.unmask(&mut message);
                messages.push(message);
            }
        });
        match scanned {
            Ok(()) if !closed => Ok(()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let sent = match self.socket.write(&self.unsent) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.unsent.drain(..sent);
        Ok(())
    }
}

/// Sends to one client; what its socket does not take waits.
fn send(epoll: &OwnedFd, number: u64, client: &mut Client, bytes: &[u8]) -> io::Result<()> {
    if !client.unsent.is_empty() {
        client.unsent.extend_from_slice(bytes);
        return Ok(());
    }
    let sent = match client.socket.write(bytes) {
        Ok(sent) => sent,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if sent < bytes.len() {
        client.unsent.extend_from_slice(&bytes[sent..]);
        wait_for(epoll, number, client, epoll::EventFlags::IN | epoll::EventFlags::OUT)?;
    }
    Ok(())
}

fn wait_for(
    epoll: &OwnedFd,
    number: u64,
    client: &Client,
    flags: epoll::EventFlags,
) -> io::Result<()> {
    Ok(epoll::modify(epoll, &client.socket, epoll::EventData::new_u64(number), flags)?)
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

/// What stands between `mark` and the next quotation mark.
fn between<'a>(message: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let start = message.windows(mark.len()).position(|bytes| bytes == mark)? + mark.len();
    let length = message[start..].iter().position(|byte| *byte == b'"')?;
    Some(&message[start..start + length])
}
