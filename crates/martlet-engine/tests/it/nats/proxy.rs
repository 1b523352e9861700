//! A proxy between engines and server, whose connections can be cut at once.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Default)]
struct Open {
    streams: Vec<TcpStream>,
    closed: bool,
}

pub struct Proxy {
    pub port: u16,
    open: Arc<Mutex<Open>>,
}

impl Proxy {
    /// Before a server on this port.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::<Mutex<Open>>::default();
        let shared = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut open = shared.lock().unwrap();
                // The server may be gone just now.
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                if open.closed {
                    continue;
                }
                carry(&client, &server);
                carry(&server, &client);
                open.streams.extend([client, server]);
            }
        });
        Self { port, open }
    }

    /// Cuts what there is; with `closed` nothing new is let through either.
    pub fn cut(&self, closed: bool) {
        let mut open = self.open.lock().unwrap();
        open.closed = closed;
        for stream in open.streams.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries bytes one way until either end has enough.
fn carry(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
