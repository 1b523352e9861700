//! A server that a test plays: it answers what the program asks, over plain HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

pub const EPOCH: &str = "k3f9x2ab";

/// A request as it came.
pub struct Asked {
    pub path: String,
    pub key: Option<String>,
    pub body: String,
}

/// What is answered.
pub enum Reply {
    /// A status and a body.
    Json(u16, Value),
    /// A stream of frames, which is then held open.
    Held(Vec<Value>),
    /// Nothing: the connection is cut.
    Cut,
}

type Answer = dyn FnMut(Asked) -> Reply + Send;

/// Starts a server that answers by `answer`, and gives its address.
pub fn play(answer: impl FnMut(Asked) -> Reply + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(answer));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(socket, &answer));
        }
    });
    url
}

fn converse(socket: TcpStream, answer: &Mutex<Answer>) {
    let mut writer = socket.try_clone().unwrap();
    let mut reader = BufReader::new(socket);
    while let Some(asked) = read(&mut reader) {
        let reply = (answer.lock().unwrap())(asked);
        match reply {
            Reply::Json(status, body) => {
                let body = if body.is_null() { String::new() } else { body.to_string() };
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
                if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
                    return;
                }
            }
            Reply::Held(frames) => {
                stream(&mut writer, &frames);
                // Until the program goes.
                let _ = reader.read(&mut [0; 64]);
                return;
            }
            Reply::Cut => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name {
            "content-length" => length = value.parse().ok()?,
            "authorization" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { path, key, body: String::from_utf8(body).ok()? })
}

fn stream(writer: &mut TcpStream, frames: &[Value]) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let frames: Vec<String> = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    // The program may have gone.
    let _ = writer.write_all(format!("{head}{}", frames.concat()).as_bytes());
}

/// The receipt of a publication.
pub fn receipt(channel: &Value, offset: u64) -> Value {
    json!({
        "channel": channel, "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset,
        "time": 1
    })
}

/// Frames that let a client in which said `connect`, into every channel at offset 0.
pub fn let_in(connect: &Value) -> Vec<Value> {
    let id = &connect["id"];
    let mut frames = vec![json!({ "id": id, "connected": {
        "client": "0q3000000000a", "session": "0000000000000000000000000k", "resumed": false,
        "grant": "g1.x", "ping": 25000, "pong": 10000, "time": 1, "frame_bytes": 65536
    }})];
    for asked in connect["connect"]["subscribe"].as_array().into_iter().flatten() {
        let offset = asked["offset"].as_u64().unwrap_or(0);
        frames.push(json!({ "id": id, "subscribed": {
            "channel": asked["channel"], "epoch": EPOCH, "offset": offset, "head": offset,
            "recovered": false
        }}));
    }
    frames
}

/// A publication as a frame.
pub fn publication(channel: &str, offset: u64, data: Value) -> Value {
    json!({ "publication": {
        "channel": channel, "id": format!("{offset:026}"), "epoch": EPOCH, "offset": offset,
        "time": 45_296_000, "data": data
    }})
}

/// The built program, told to find its server at `url`.
pub fn martlet(url: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_martlet"));
    command.args(arguments).env("MARTLET_URL", url);
    command.env_remove("MARTLET_TOKEN").env_remove("MARTLET_API_KEY");
    command
}

/// Runs the program to its end: its exit code, and what it wrote.
pub fn run(mut command: std::process::Command, input: &str) -> (i32, String, String) {
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that does not want its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(20);
