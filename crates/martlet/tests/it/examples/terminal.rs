//! A terminal: a program that runs, and what it has written so far.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The most output that is kept; an example that writes more is a mistake.
const OUTPUT_MAX: u64 = 1 << 20;

/// A program and its output.
pub struct Terminal {
    process: Child,
    output: Arc<Output>,
    /// How much of the output has been met by expectations.
    seen: usize,
}

#[derive(Default)]
struct Output {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Terminal {
    /// Starts a program with its own process group. Standard output and error are one.
    pub fn start(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let process = command.process_group(0).spawn().unwrap();
        // The command holds the writing ends; without it the pipe ends with the program.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let output = Arc::new(Output::default());
        let into = Arc::clone(&output);
        std::thread::spawn(move || into.fill(reader.take(OUTPUT_MAX)));
        Self { process, output, seen: 0 }
    }

    /// Waits until `ready` says so of what has been written since the last time. Otherwise gives
    /// what was written instead.
    pub fn wait(
        &mut self,
        patience: Duration,
        ready: impl Fn(&str) -> Option<usize>,
    ) -> Result<String, String> {
        let deadline = Instant::now() + patience;
        let mut text = self.output.text.lock().unwrap();
        loop {
            let rest = &text.0[self.seen..];
            if let Some(length) = ready(rest) {
                let met = rest[..length].to_owned();
                self.seen += length;
                return Ok(met);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if text.1 || left.is_zero() {
                return Err(rest.to_owned());
            }
            text = self.output.changed.wait_timeout(text, left).unwrap().0;
        }
    }

    /// Waits for the program's end; gives what it wrote, and how it ended unless it was too slow.
    pub fn end(mut self, patience: Duration) -> (String, Option<ExitStatus>) {
        let deadline = Instant::now() + patience;
        let mut text = self.output.text.lock().unwrap();
        while !text.1 && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            text = self.output.changed.wait_timeout(text, left).unwrap().0;
        }
        let (written, over) = text.clone();
        drop(text);
        let status = if over { self.process.wait().ok() } else { None };
        (written, status)
    }
}

impl Output {
    fn fill(&self, mut from: impl Read) {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            bytes.extend_from_slice(&piece[..count]);
            let whole = String::from_utf8_lossy(&bytes).into_owned();
            self.text.lock().unwrap().0 = whole;
            self.changed.notify_all();
        }
        self.text.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}

impl Drop for Terminal {
    /// Ends the program and what it started.
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        // It may have ended by itself.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}
