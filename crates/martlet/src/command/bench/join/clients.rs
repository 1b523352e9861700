//! A client that follows many channels from its first word on, on a socket that blocks: it says
//! everything at once, and then counts until it follows them all.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::command::bench::dialect::{head, martlet::handshake};
use crate::command::bench::door::Door;
use crate::command::bench::frame::{self, Scanner};
use crate::failure::Failure;

/// A client.
pub struct Client {
    socket: TcpStream,
    scanner: Scanner,
    /// What came before the end of the answer to the handshake.
    answer: Option<Vec<u8>>,
    /// How many channels it is to follow yet.
    left: usize,
}

impl Client {
    /// Connects, and says which channels it follows.
    pub fn come(door: &Door, channels: &[usize], patience: Duration) -> Result<Self, Failure> {
        let all: Vec<_> =
            channels.iter().map(|channel| json!({ "channel": door.channel(*channel) })).collect();
        let connect = json!({ "id": 1, "connect": { "subscribe": all } }).to_string();
        let mut first = handshake(door);
        frame::write_masked(frame::TEXT, connect.as_bytes(), &mut first);
        let connected = TcpStream::connect(door.address).and_then(|mut socket| {
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(patience))?;
            socket.write_all(&first)?;
            Ok(socket)
        });
        let (socket, left) = (connected.map_err(failed)?, channels.len());
        Ok(Self { socket, scanner: Scanner::default(), answer: Some(Vec::new()), left })
    }

    /// Waits until it follows all of them.
    pub fn wait(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; 64 * 1024];
        while self.left > 0 {
            match self.socket.read(&mut buffer).map_err(failed)? {
                0 => return Err(Failure::failed("the server ended a connection")),
                count => self.take(&buffer[..count])?,
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(answer) = &mut self.answer else { return self.read_frames(bytes) };
        answer.extend_from_slice(bytes);
        let Some(head) = head(answer) else { return Ok(()) };
        if head.status != 101 {
            let said = String::from_utf8_lossy(answer).into_owned();
            return Err(Failure::failed(format!("the server refused: {said}")));
        }
        let rest = answer.split_off(head.length);
        self.answer = None;
        self.read_frames(&rest)
    }

    fn read_frames(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (mut followed, mut refused) = (0, None);
        let fed = self.scanner.feed(bytes, |frame| {
            for line in frame.payload.split(|byte| *byte == b'\n') {
                let says = |word: &[u8]| line.windows(word.len()).any(|part| part == word);
                followed += usize::from(says(br#""subscribed":"#));
                if says(br#""error":"#) || says(br#""close":"#) {
                    refused = Some(String::from_utf8_lossy(line).into_owned());
                }
            }
        });
        self.left -= followed.min(self.left);
        match (fed, refused) {
            (Err(_), _) => Err(Failure::failed("the server sent what is no WebSocket frame")),
            (_, Some(why)) => Err(Failure::failed(format!("the server refused: {why}"))),
            _ => Ok(()),
        }
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::failed(format!("a client cannot follow its channels: {error}"))
}
