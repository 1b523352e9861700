//! The sockets of a bare loop: accepted, read, written to, and dropped when they are gone. What
//! is written to whom is the loop's business.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::{Timespec, epoll};
use socket2::{Domain, Socket, Type};

use crate::command::bench::frame::{self, Scanner};

/// The event of the listener.
pub const LISTENER: u64 = u64::MAX;

/// How many may wait to be accepted. Whoever finds no room tries again a second later, which would
/// be what is measured.
const BACKLOG: i32 = 4096;

const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Protocol: martlet.v1.json\r\n\r\n";

/// The longest request that is taken for a handshake.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// All sockets of a loop.
pub struct Sockets {
    listener: TcpListener,
    epoll: OwnedFd,
    clients: Vec<Option<Client>>,
    vacant: Vec<usize>,
    /// Clients that are gone, with the channel that they followed.
    pub gone: Vec<(usize, Option<usize>)>,
    buffer: Vec<u8>,
}

struct Client {
    socket: TcpStream,
    head: Option<Vec<u8>>,
    scanner: Scanner,
    unsent: Vec<u8>,
    channel: Option<usize>,
}

impl Sockets {
    /// Listens on a free port of this machine.
    pub fn listen() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let number = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, number, epoll::EventFlags::IN)?;
        let (clients, vacant, gone) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { listener, epoll, clients, vacant, gone, buffer: vec![0; 256 * 1024] })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for events, or only looks for them.
    pub fn wait(&self, events: &mut Vec<epoll::Event>, only_look: bool) -> io::Result<()> {
        events.clear();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let room = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.epoll, room, only_look.then_some(&now)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in all who have come.
    pub fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let number = self.vacant.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let event = epoll::EventData::new_u64(number as u64);
            epoll::add(&self.epoll, &socket, event, epoll::EventFlags::IN)?;
            let (head, scanner) = (Some(Vec::new()), Scanner::default());
            let client = Client { socket, head, scanner, unsent: Vec::new(), channel: None };
            self.clients[number] = Some(client);
        }
    }

    /// The place of one that is gone may be another's.
    pub fn free(&mut self, number: usize) {
        self.vacant.push(number);
    }

    /// The channel that a client follows.
    pub fn channel(&self, number: usize) -> Option<usize> {
        self.clients[number].as_ref()?.channel
    }

    /// A client follows a channel.
    pub fn follow(&mut self, number: usize, channel: usize) {
        if let Some(client) = &mut self.clients[number] {
            client.channel = Some(channel);
        }
    }

    fn settle<T: Default>(&mut self, number: usize, outcome: io::Result<T>) -> T {
        outcome.unwrap_or_else(|_| {
            if let Some(client) = self.clients[number].take() {
                self.gone.push((number, client.channel));
            }
            T::default()
        })
    }

    /// The messages that one read brings.
    pub fn read(&mut self, number: usize) -> Vec<Vec<u8>> {
        let Some(client) = &mut self.clients[number] else { return Vec::new() };
        let messages = client.read(&mut self.buffer);
        self.settle(number, messages)
    }

    /// Sends to one client; what its socket does not take waits.
    pub fn send(&mut self, number: usize, bytes: &[u8]) {
        let Some(client) = &mut self.clients[number] else { return };
        let sent = client.send(&self.epoll, number, bytes);
        self.settle(number, sent);
    }

    /// Sends to one client as much as its socket takes, and says how much that was. What it does
    /// not take is the caller's, who is told when there is room.
    pub fn send_some(&mut self, number: usize, bytes: &[u8]) -> usize {
        let Some(client) = &mut self.clients[number] else { return bytes.len() };
        if !client.unsent.is_empty() {
            return 0;
        }
        let sent = client.write(bytes).and_then(|sent| {
            if sent < bytes.len() {
                client.wait_for_room(&self.epoll, number, true)?;
            }
            Ok(sent)
        });
        self.settle(number, sent)
    }

    /// Sends what waits, and waits for room no more when nothing does.
    pub fn flush(&mut self, number: usize) {
        let Some(client) = &mut self.clients[number] else { return };
        let flushed = client.flush(&self.epoll, number);
        self.settle(number, flushed);
    }
}

impl Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Vec<Vec<u8>>> {
        let count = match self.socket.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        self.take(&buffer[..count])
    }

    /// Reads a handshake, then messages.
    fn take(&mut self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut rest = bytes;
        if let Some(head) = &mut self.head {
            head.extend_from_slice(bytes);
            if !head.ends_with(b"\r\n\r\n") {
                let long = head.len() > HEAD_BYTES_MAX;
                return if long { Err(ErrorKind::InvalidData.into()) } else { Ok(Vec::new()) };
            }
            self.head = None;
            rest = &[];
            self.socket.write_all(ACCEPTED)?;
        }
        let (mut closed, mut messages) = (false, Vec::new());
        let scanned = self.scanner.feed(rest, |frame| {
            closed |= frame.opcode == frame::CLOSE;
            if frame.opcode == frame::TEXT {
                let mut message = Vec::new();
                frame.unmask(&mut message);
                messages.push(message);
            }
        });
        match scanned {
            Ok(()) if !closed => Ok(messages),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    fn send(&mut self, epoll: &OwnedFd, number: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = self.write(bytes)?;
        if sent < bytes.len() {
            self.unsent.extend_from_slice(&bytes[sent..]);
            self.wait_for_room(epoll, number, true)?;
        }
        Ok(())
    }

    fn flush(&mut self, epoll: &OwnedFd, number: usize) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        let sent = if unsent.is_empty() { 0 } else { self.write(&unsent)? };
        self.unsent = unsent;
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
            self.wait_for_room(epoll, number, false)?;
        }
        Ok(())
    }

    fn wait_for_room(&self, epoll: &OwnedFd, number: usize, wait: bool) -> io::Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, wait);
        Ok(epoll::modify(epoll, &self.socket, epoll::EventData::new_u64(number as u64), flags)?)
    }
}
