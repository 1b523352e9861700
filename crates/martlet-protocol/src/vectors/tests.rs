//! The golden transcripts say what the codecs say, cover all there is to say, and are the same
//! conversations on both wires. With `UPDATE=1` the transcripts in Protobuf are made anew, and in
//! those in JSON a line `< ?` is filled in with what the decoder answers to the frame before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use martlet_core::model::{Code, Limits};
use martlet_core::session::{Answer, Event, Numbered};

use super::*;
use crate::native::samples::assert_file;
use crate::native::{json, proto};
use crate::{FrameError, Refused};

type Heard = Vec<Result<Numbered, Refused>>;

fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().unwrap() == "txt").collect();
    files.sort();
    assert!(!files.is_empty(), "there are transcripts in {}", folder.display());
    files
}

fn steps(file: &Path) -> Vec<Step> {
    let text = fs::read_to_string(file).unwrap();
    parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The limits that the decoder knows, as the transcript sets them.
fn limits(steps: &[Step]) -> Limits {
    let mut limits = Limits::default();
    let given = steps.iter().filter_map(|step| match &step.action {
        Action::Given(words) => words.strip_prefix("limit "),
        _ => None,
    });
    for limit in given {
        let (name, value) = limit.split_once('=').unwrap();
        let value: usize = value.parse().unwrap();
        match name {
            "commands_per_frame" => limits.commands_per_frame = value,
            "data_bytes" => limits.data_bytes = value,
            "name_bytes" => limits.name_bytes = value,
            "tags" => limits.tags = value,
            "channels_per_client" => limits.channels_per_client = value,
            "frame_bytes" | "channels_per_node" | "log_publications" => {}
            "commands_per_second" | "commands_burst" => {}
            other => panic!("there is no limit {other}"),
        }
    }
    limits
}

/// One way to write frames down, for the checks that both wires have to pass.
struct Wire {
    folder: &'static str,
    bytes: fn(&str) -> Vec<u8>,
    text: fn(&[u8]) -> String,
    hear: fn(&[u8], &Limits) -> Result<Heard, FrameError>,
    ask: fn(&Numbered, &mut Vec<u8>),
    told: fn(&[u8]) -> Result<Vec<Answer>, FrameError>,
    answer: fn(&Answer, &mut Vec<u8>),
}

const JSON: Wire = Wire {
    folder: "native-json",
    bytes: |text| text.as_bytes().to_vec(),
    text: |bytes| String::from_utf8(bytes.to_vec()).unwrap(),
    hear: |frame, limits| {
        let mut heard = Vec::new();
        json::decode(frame, limits, |it| heard.push(it)).map(|()| heard)
    },
    ask: json::encode_command,
    told: |frame| {
        let mut told = Vec::new();
        json::decode_answer(frame, |it| told.push(it)).map(|()| told)
    },
    answer: json::encode_answer,
};

const PROTO: Wire = Wire {
    folder: "native-proto",
    bytes: |text| {
        let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
        digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
    },
    text: |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    hear: |frame, limits| {
        let mut heard = Vec::new();
        proto::decode(frame, limits, |it| heard.push(it)).map(|()| heard)
    },
    ask: proto::encode_command,
    told: |frame| {
        let mut told = Vec::new();
        proto::decode_answer(frame, |it| told.push(it)).map(|()| told)
    },
    answer: proto::encode_answer,
};

impl Wire {
    fn files(&self) -> Vec<PathBuf> {
        static FILLED: Once = Once::new();
        FILLED.call_once(fill);
        files(&folder(self.folder))
    }

    fn written(&self, answer: &Answer) -> String {
        let mut out = Vec::new();
        (self.answer)(answer, &mut out);
        (self.text)(&out)
    }

    /// What the decoder itself answers to a frame.
    fn refusals(&self, frame: &str, limits: &Limits) -> Vec<Answer> {
        match (self.hear)(&(self.bytes)(frame), limits) {
            Ok(heard) => {
                heard.into_iter().filter_map(Result::err).map(Refused::into_answer).collect()
            }
            Err(error) => vec![Answer { id: 0, event: Event::Closing(error.close()) }],
        }
    }

    /// Every command of a frame is read back as itself; every refusal follows in the transcript.
    fn check_client(&self, frame: &str, limits: &Limits, rest: &[Step], connection: u32) {
        let heard = (self.hear)(&(self.bytes)(frame), limits).unwrap_or_default();
        for command in heard.iter().flatten() {
            let mut out = Vec::new();
            (self.ask)(command, &mut out);
            assert_eq!((self.hear)(&out, limits).unwrap(), [Ok(command.clone())]);
        }
        for refusal in self.refusals(frame, limits) {
            let expected = self.written(&refusal);
            let answers = rest.iter().map_while(|step| match &step.action {
                Action::Server(of, event) => Some((*of, event)),
                _ => None,
            });
            let found =
                answers.into_iter().any(|(of, event)| of == connection && *event == expected);
            assert!(found, "{frame}\nshould be answered by\n{expected}");
        }
    }

    /// An event is read and written again as it stands.
    fn check_server(&self, event: &str) {
        let told = (self.told)(&(self.bytes)(event)).unwrap();
        assert_eq!(told.len(), 1, "one event a line: {event}");
        assert_eq!(self.written(&told[0]), event);
    }

    /// The transcript with its lines `< ?` filled in.
    fn filled(&self, text: &str) -> String {
        let limits = limits(&parse(text).unwrap());
        let (mut out, mut frame, mut due) = (Vec::new(), String::new(), Vec::new());
        for line in text.lines() {
            match parse_line(line).unwrap() {
                Line::Client(_, client) => {
                    frame = client.into();
                    due = self.refusals(&frame, &limits);
                }
                Line::ClientMore(_, more) => {
                    frame = format!("{frame}\n{more}");
                    due = self.refusals(&frame, &limits);
                }
                Line::Server(_, "?") => {
                    let answer = due.remove(0);
                    let said = [JSON.written(&answer), self.written(&answer)];
                    out.extend((said[0] != said[1]).then(|| format!("# {}", said[0])));
                    out.push(format!("{} {}", word(line), said[1]));
                    continue;
                }
                _ => {}
            }
            out.push(line.into());
        }
        out.join("\n") + "\n"
    }

    fn check(&self, file: &Path) {
        let steps = steps(file);
        let limits = limits(&steps);
        for (i, step) in steps.iter().enumerate() {
            let at = format!("{}:{}", file.display(), step.line);
            let checked = std::panic::catch_unwind(|| match &step.action {
                Action::Client(connection, frame) => {
                    self.check_client(frame, &limits, &steps[i + 1..], *connection);
                }
                Action::Server(_, event) => self.check_server(event),
                _ => {}
            });
            assert!(checked.is_ok(), "{at}");
        }
    }
}

/// With `UPDATE=1`, fills in the lines `< ?` before anybody reads them.
fn fill() {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    for wire in [JSON, PROTO] {
        for file in files(&folder(wire.folder)) {
            fs::write(&file, wire.filled(&fs::read_to_string(&file).unwrap())).unwrap();
        }
    }
}

#[test]
fn json_transcripts_say_what_the_codec_says() {
    JSON.files().iter().for_each(|file| JSON.check(file));
}

#[test]
fn proto_transcripts_say_what_the_codec_says() {
    PROTO.files().iter().for_each(|file| PROTO.check(file));
}

/// The transcripts that are about how JSON is written. Protobuf has its own `bad-frames.txt`.
const JSON_ONLY: [&str; 2] = ["frames.txt", "bad-frames.txt"];

#[test]
fn proto_transcripts_are_made_from_json() {
    for file in JSON.files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        if JSON_ONLY.contains(&name) {
            continue;
        }
        let made = in_proto(&fs::read_to_string(&file).unwrap());
        assert_file(&folder(PROTO.folder).join(name), &made);
    }
}

/// A conversation in JSON, in Protobuf. What the JSON decoder refuses cannot be written in it and
/// is left out, with the answer.
fn in_proto(text: &str) -> String {
    let limits = limits(&parse(text).unwrap());
    let mut out = Vec::new();
    let mut left_out = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        match parse_line(line).unwrap() {
            Line::Client(connection, frame) => {
                let mut frame = frame.to_owned();
                while let Some(Ok(Line::ClientMore(_, more))) = lines.peek().map(|l| parse_line(l))
                {
                    frame = format!("{frame}\n{more}");
                    lines.next();
                }
                let refusals = JSON.refusals(&frame, &limits);
                left_out.extend(refusals.iter().map(|answer| (connection, JSON.written(answer))));
                client_in_proto(&frame, &limits, word(line), &mut out);
            }
            Line::Server(connection, event) => {
                let this = (connection, event.to_owned());
                if let Some(i) = left_out.iter().position(|refusal| *refusal == this) {
                    left_out.remove(i);
                    continue;
                }
                let answer = (JSON.told)(event.as_bytes()).unwrap().remove(0);
                out.push(format!("# {event}"));
                out.push(format!("{} {}", word(line), PROTO.written(&answer)));
            }
            _ => out.push(line.into()),
        }
    }
    out.join("\n") + "\n"
}

/// The word at the beginning of a line, with the connection.
fn word(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

fn client_in_proto(frame: &str, limits: &Limits, word: &str, out: &mut Vec<String>) {
    let heard = (JSON.hear)(frame.as_bytes(), limits).unwrap_or_default();
    let commands: Vec<_> = heard.into_iter().flatten().collect();
    if commands.is_empty() {
        return out.push("# (This can only be said in JSON.)".into());
    }
    let mut bytes = Vec::new();
    for command in &commands {
        let mut json = Vec::new();
        json::encode_command(command, &mut json);
        out.push(format!("# {}", String::from_utf8(json).unwrap()));
        proto::encode_command(command, &mut bytes);
    }
    out.push(format!("{word} {}", (PROTO.text)(&bytes)));
}

/// The first word of an object besides `id`.
fn name_of(object: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(object).ok()?;
    object.keys().find(|key| *key != "id").cloned()
}

fn said(client: bool) -> BTreeSet<String> {
    let all = JSON.files().into_iter().flat_map(|file| steps(&file));
    let texts = all.filter_map(|step| match step.action {
        Action::Client(_, frame) if client => Some(frame),
        Action::Server(_, event) if !client => Some(event),
        _ => None,
    });
    texts.flat_map(|text| text.lines().filter_map(name_of).collect::<Vec<_>>()).collect()
}

#[test]
fn every_command_and_every_event_is_in_a_transcript() {
    let (commands, events) = (said(true), said(false));
    for command in json::COMMANDS {
        assert!(commands.contains(*command), "no transcript has the command {command}");
    }
    for event in json::EVENTS {
        assert!(events.contains(*event), "no transcript has the event {event}");
    }
}

/// Codes that answer HTTP requests and never come down a native connection.
const HTTP_ONLY: &[Code] = &[
    Code::Internal,
    Code::FrameTooLarge,
    Code::NotFound,
    Code::MethodNotAllowed,
    Code::UnknownSession,
    Code::Overloaded,
    Code::UnsupportedProtocol,
    Code::RequestInvalid,
    Code::HeadTooLarge,
    Code::AddressTooLong,
    Code::RequestTimeout,
    Code::UpgradeRequired,
    Code::KeyInvalid,
    Code::KeyNotAllowed,
    Code::OriginDenied,
    Code::SinceInvalid,
    Code::BatchTooLarge,
    Code::CallbackInvalid,
    Code::StreamFull,
];

#[test]
fn every_code_is_in_a_transcript() {
    let mut found = BTreeSet::new();
    for file in JSON.files() {
        for step in steps(&file) {
            let Action::Server(_, event) = step.action else { continue };
            match (JSON.told)(event.as_bytes()).unwrap().remove(0).event {
                Event::Refused { refusal, .. } | Event::Unsubscribed { why: Some(refusal), .. } => {
                    _ = found.insert(refusal.code);
                }
                Event::Closing(close) => _ = found.insert(close.code),
                _ => {}
            }
        }
    }
    for code in Code::ALL {
        let native = !HTTP_ONLY.contains(code);
        assert_eq!(found.contains(code), native, "{code}: in a transcript, or in HTTP_ONLY");
    }
}

#[test]
fn lines_are_told_apart() {
    assert_eq!(parse_line(""), Ok(Line::Remark));
    assert_eq!(parse_line("# > no"), Ok(Line::Remark));
    assert_eq!(parse_line("> {} "), Ok(Line::Client(1, "{} ")));
    assert_eq!(parse_line("12<"), Ok(Line::Server(12, "")));
    assert_eq!(parse_line(">>  a"), Ok(Line::ClientMore(1, " a")));
    assert_eq!(parse_line("2open"), Ok(Line::Open(2)));
    assert_eq!(parse_line("+350ms"), Ok(Line::Wait(Duration::from_millis(350))));
    assert_eq!(parse_line("hub publish {}"), Ok(Line::Hub("publish {}")));
    for bad in ["+5", "+s", "2hub x", "say", "4294967296> {}", " > {}", "+99999999999999999999h"] {
        assert!(parse_line(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_frame_goes_on_over_lines_of_its_connection() {
    let steps = parse("2> a\n# between\n2>> b\n2>>").unwrap();
    assert_eq!(steps, [Step { line: 1, action: Action::Client(2, "a\nb\n".into()) }]);
    for bad in [">> a", "> a\n2>> b", "< a\n>> b"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
