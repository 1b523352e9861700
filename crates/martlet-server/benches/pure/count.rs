//! Counting instructions without the processor's counters, which most virtual machines do not
//! have: each subject runs once more as a child of valgrind, which counts what happens inside of
//! one function and nothing else. The time beside it is taken without valgrind, in this process.

use std::process::Command;
use std::time::{Duration, Instant};

/// Rounds before the one that is counted: what is allocated once is there by then.
const WARM_ROUNDS: usize = 2;

/// For how long a subject's time is taken.
const TIMED: Duration = Duration::from_millis(300);

/// One line of the table.
#[derive(Clone, Copy)]
pub struct Subject {
    /// What it is.
    pub name: &'static str,
    /// How often it is done in one round.
    pub units: u64,
    /// What is done so often.
    pub per: &'static str,
    /// Prepares, and then measures in every round that [`Meter::again`] asks for.
    pub work: fn(&mut Meter),
}

/// Measures a part of a subject's rounds.
pub struct Meter {
    counting: bool,
    rounds: usize,
    begun: Instant,
    times: Vec<Duration>,
}

impl Meter {
    fn new(counting: bool) -> Self {
        Self { counting, rounds: 0, begun: Instant::now(), times: Vec::new() }
    }

    /// Whether there is to be one more round.
    pub fn again(&mut self) -> bool {
        if self.rounds == 0 {
            self.begun = Instant::now();
        }
        self.rounds += 1;
        let enough = if self.counting {
            self.rounds > WARM_ROUNDS + 1
        } else {
            self.rounds > WARM_ROUNDS + 1 && self.begun.elapsed() > TIMED
        };
        !enough
    }

    /// Does what is to be measured, once in each round.
    pub fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let counted = self.counting && self.rounds > WARM_ROUNDS;
        let begun = Instant::now();
        let result = if counted { counted_alone(work) } else { work() };
        self.times.push(begun.elapsed());
        result
    }

    fn median(mut self) -> Duration {
        self.times.sort_unstable();
        self.times[self.times.len() / 2]
    }
}

/// Hides what kind of work it is, so that there is one function whose name valgrind can be given.
fn counted_alone<T>(work: impl FnOnce() -> T) -> T {
    let (mut work, mut result) = (Some(work), None);
    martlet_counted(&mut || result = work.take().map(|work| work()));
    result.unwrap()
}

#[inline(never)]
fn martlet_counted(work: &mut dyn FnMut()) {
    work();
    // Something after it, so that the call does not become a jump that valgrind takes for the end.
    std::hint::black_box(());
}

/// Runs what the arguments ask for: the table, or one subject as valgrind's child.
pub fn run(subjects: &[Subject]) {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--count", name] => {
            let subject = subjects.iter().find(|subject| subject.name == name).unwrap();
            (subject.work)(&mut Meter::new(true));
        }
        ["--instructions", word] => table(subjects, word, false),
        [word] => table(subjects, word, true),
        _ => table(subjects, "", true),
    }
}

fn table(subjects: &[Subject], word: &str, timed: bool) {
    let counts = Command::new("valgrind").arg("--version").output().is_ok();
    if !counts {
        eprintln!(
            "valgrind is not here, so instructions are not counted: apt-get install valgrind"
        );
    }
    println!("{:<44} {:>13} {:>11}  per", "", "instructions", "time");
    for subject in subjects.iter().filter(|subject| subject.name.contains(word)) {
        let instructions = counts.then(|| instructions(subject)).flatten();
        let instructions = instructions.map_or("-".into(), |n| each(n as f64, subject));
        let time = if timed { time(subject) } else { "-".into() };
        println!("{:<44} {instructions:>13} {time:>11}  {}", subject.name, subject.per);
    }
}

fn each(count: f64, subject: &Subject) -> String {
    let each = count / subject.units as f64;
    if each < 100.0 { format!("{each:.1}") } else { format!("{each:.0}") }
}

fn time(subject: &Subject) -> String {
    let mut meter = Meter::new(false);
    (subject.work)(&mut meter);
    let nanos = meter.median().as_nanos() as f64;
    format!("{} ns", each(nanos, subject))
}

/// What valgrind counted inside of [`martlet_counted`]. `None` if it did not come so far.
fn instructions(subject: &Subject) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*martlet_counted*"])
        .arg(std::env::current_exe().unwrap())
        .args(["--count", subject.name])
        // Without this the allocator gives memory back by the clock, which no count should see.
        .env("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", subject.name);
    said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}
