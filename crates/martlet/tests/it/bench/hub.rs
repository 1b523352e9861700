//! A hub that speaks as much of Redis as the generator needs, to see that it speaks it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Who follows which channel.
type Readers = Arc<Mutex<HashMap<Vec<u8>, Vec<TcpStream>>>>;

/// Serves for as long as the test runs.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let readers = Readers::default();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let readers = Arc::clone(&readers);
            std::thread::spawn(move || serve(socket, &readers));
        }
    });
    address
}

fn serve(mut socket: TcpStream, readers: &Readers) {
    let mut input = BufReader::new(socket.try_clone().unwrap());
    while let Some(words) = command(&mut input) {
        let answer = match words[0].as_slice() {
            b"PING" => b"+PONG\r\n".to_vec(),
            b"SUBSCRIBE" => {
                let mut all = readers.lock().unwrap();
                all.entry(words[1].clone()).or_default().push(socket.try_clone().unwrap());
                [array(&[b"subscribe", &words[1]], 3), b":1\r\n".to_vec()].concat()
            }
            _ => {
                let message = array(&[b"message", &words[1], &words[2]], 3);
                let all = readers.lock().unwrap();
                let those = all.get(&words[1]).map_or(&[][..], Vec::as_slice);
                // Whoever is gone is gone.
                those.iter().for_each(|mut reader| drop(reader.write_all(&message)));
                format!(":{}\r\n", those.len()).into_bytes()
            }
        };
        if socket.write_all(&answer).is_err() {
            break;
        }
    }
}

/// The words of the next command; none at the end.
fn command(input: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count = number(input)?;
    (0..count)
        .map(|_| {
            let mut word = vec![0; number(input)? + 2];
            input.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            Some(word)
        })
        .collect()
}

/// The number of a line, after its sign.
fn number(input: &mut impl BufRead) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    line.get(1..)?.trim().parse().ok()
}

fn array(words: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = format!("*{length}\r\n").into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}
