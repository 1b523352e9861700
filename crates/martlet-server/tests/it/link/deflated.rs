//! A WebSocket with deflated messages, by hand: there is no client for it to be had.

use std::net::SocketAddr;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Came, End};

/// What every deflated message ends with and is not sent.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

pub struct Socket {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// How many messages came deflated.
    pub deflated: usize,
}

impl Socket {
    pub async fn open(address: SocketAddr, frame: Vec<u8>) -> Self {
        let mut socket = super::connected(address).await;
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: martlet.v1.json\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut new = Self { socket, bytes: Vec::new(), deflated: 0 };
        let head = new.head().await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("permessage-deflate"), "{head}");
        assert!(head.contains("server_no_context_takeover"), "{head}");
        new.socket.write_all(&masked(&deflate(&frame))).await.unwrap();
        new
    }

    async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.bytes.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap().to_ascii_lowercase();
            }
            assert!(self.more().await, "the answer has a head");
        }
    }

    pub async fn next(&mut self) -> Came {
        loop {
            let Some((first, payload)) = self.frame() else {
                if !self.more().await {
                    return Came::Ended(End::Cut);
                }
                continue;
            };
            assert!(first & 0x80 != 0 && first & 0x30 == 0, "{first:#x}");
            match (first & 0x0f, first & 0x40 != 0) {
                (0x1, false) => return Came::Frame(payload),
                (0x1, true) => {
                    self.deflated += 1;
                    return Came::Frame(inflate(payload));
                }
                (0x8, false) => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    return Came::Ended(End::Closed(code));
                }
                (0x9 | 0xa, false) => {}
                _ => panic!("{first:#x}"),
            }
        }
    }

    /// The first byte and the payload of the next frame, if it is here.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, ..] = self.bytes[..] else { return None };
        assert!(second & 0x80 == 0, "a server masks nothing");
        let (begin, len) = match second {
            126 => (4, u64::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(self.bytes.get(2..10)?.try_into().unwrap())),
            len => (2, u64::from(len)),
        };
        let end = begin + usize::try_from(len).unwrap();
        if self.bytes.len() < end {
            return None;
        }
        let payload = self.bytes[begin..end].to_vec();
        self.bytes.drain(..end);
        Some((first, payload))
    }

    async fn more(&mut self) -> bool {
        // An error and an end are the same to a reader.
        self.socket.read_buf(&mut self.bytes).await.unwrap_or(0) > 0
    }
}

/// A deflated text message of a client.
fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xc1];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut deflated = Vec::with_capacity(payload.len() + 64);
    let mut compress = Compress::new(Compression::fast(), false);
    compress.compress_vec(payload, &mut deflated, FlushCompress::Sync).unwrap();
    assert!(deflated.ends_with(&TAIL));
    deflated.truncate(deflated.len() - TAIL.len());
    deflated
}

/// Each message by itself: nothing of the one before is remembered.
fn inflate(mut payload: Vec<u8>) -> Vec<u8> {
    payload.extend_from_slice(&TAIL);
    let mut decompress = Decompress::new(false);
    let mut inflated = Vec::with_capacity(256 * 1024);
    decompress.decompress_vec(&payload, &mut inflated, FlushDecompress::Sync).unwrap();
    assert_eq!(decompress.total_in(), payload.len() as u64);
    inflated
}
