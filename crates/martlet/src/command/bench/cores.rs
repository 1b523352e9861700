//! `martlet bench cores`: how much more a server of several workers delivers than one of a single
//! worker. The generator is kept out of the way: while the servers work it sleeps, and the kernel
//! keeps what they send.
//!
//! Publications are made one at a time. After each the generator looks, every few milliseconds,
//! at the CPU time that the server has used. The clock stops between the look that still found
//! more and the one that found no more. Only then comes the next publication, so none go together;
//! and only at the end is everything read and counted.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::compare::Figures;
use super::crowd::Crowd;
use super::load::write_data;
use super::report::{Report, Row, count, maybe_microseconds};
use super::target::{Target, TargetArguments};
use super::{PARALLEL, files, interrupt, opening_patience};
use crate::failure::Failure;

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(3);

/// So many looks without more CPU time are the end. What a thread uses is only written down
/// several times in a hundredth of a second, as long as it runs.
const QUIET_LOOKS: u32 = 6;

/// Less than this between two looks is what a server does while it waits.
const NOTHING: Duration = Duration::from_micros(60);

/// How long one publication, and the reading of all, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two workers against one
///
/// All cores against one:  martlet bench cores
///
/// One publication at a time to so many subscribers, spread over the workers. The generator sleeps
/// meanwhile and reads everything afterwards.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// How many follow the channel
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    subscribers: u32,

    /// How many workers the second server has; 0 is one for each core
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_024))]
    workers: u32,

    /// How many publications are made in a round. What is not read waits in the kernel, which has
    /// room for about a hundred
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    publications: u32,

    /// How often both servers have their turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// How long the data of a publication is, in bytes
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(20..=1_024))]
    payload: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: TargetArguments,
}

#[derive(Debug, Serialize)]
struct Settings {
    subscribers: usize,
    publications: u32,
    rounds: u32,
    payload: u32,
}

/// What was measured of one server.
#[derive(Debug, Serialize)]
struct Measured {
    server: String,
    workers: u32,
    publications: u64,
    deliveries: u64,
    deliveries_per_second: f64,
    server_cpu_us_per_delivery: Option<f64>,
    /// How many cores the server used.
    server_cores: Option<f64>,
}

impl Row for Measured {
    const HEAD: &'static [&'static str] = &["", "deliveries/s", "CPU/delivery", "cores"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.server.clone(),
            count(self.deliveries_per_second),
            maybe_microseconds(self.server_cpu_us_per_delivery),
            self.server_cores.map_or("-".into(), |cores| format!("{cores:.2}")),
        ]
    }
}

/// What one server came to in one round.
#[derive(Debug, Clone, Copy, Default)]
struct Round {
    deliveries: u64,
    elapsed: Duration,
    cpu: Duration,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.target.url.is_some() {
        return Err(Failure::wrong("the servers are started for the run: --url has no meaning"));
    }
    interrupt::watch()?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let workers = [1, if arguments.workers == 0 { cores } else { arguments.workers }];
    // Both servers have their subscribers, and a publisher each.
    let most = files::raise() / 2 - 1;
    let subscribers = (arguments.subscribers as usize).min(most);
    let mut targets = Vec::new();
    for workers in workers {
        let plural = if workers == 1 { "" } else { "s" };
        targets.push(arguments.target.martlet(&format!("{workers} worker{plural}"), workers)?);
    }
    let Arguments { publications, rounds, payload, .. } = *arguments;
    let settings = Settings { subscribers, publications, rounds, payload };
    let title = format!(
        "cores: {subscribers} subscribers, {publications} publications one at a time, {payload} bytes"
    );
    let mut report = Report::new("cores", title, settings, &targets);
    report.notes.extend(note(subscribers, arguments.subscribers as usize));
    let all = arguments.measure(&targets, subscribers)?;
    for ((target, workers), rounds) in targets.iter().zip(workers).zip(&all) {
        report.results.push(Measured::of(target, workers, u64::from(publications), rounds));
    }
    report.compare(None, &targets, &all, Round::figures);
    report.print(arguments.json)
}

fn note(subscribers: usize, wanted: usize) -> Option<String> {
    (subscribers < wanted).then(|| {
        format!("{subscribers} of {wanted} subscribers: this user may not have more files open")
    })
}

impl Arguments {
    fn measure(&self, targets: &[Target], subscribers: usize) -> Result<Vec<Vec<Round>>, Failure> {
        let mut crowds = Vec::new();
        for target in targets {
            let mut crowd = Crowd::new(&target.door, 1)?;
            let all = std::iter::once(None).chain((0..subscribers).map(|_| Some(0)));
            let opened = crowd.open(all, PARALLEL, opening_patience(subscribers))?;
            if opened.opened <= subscribers as u64 {
                return Err(Failure::failed(crowd.first_failure()));
            }
            // What a server allots once, and what it does for those who came.
            self.round(&mut crowd, target, 2)?;
            crowds.push(crowd);
        }
        let mut rounds: Vec<Vec<Round>> = targets.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (i, target) in targets.iter().enumerate() {
                crowds.iter_mut().try_for_each(|crowd| crowd.turn(Duration::ZERO))?;
                rounds[i].push(self.round(&mut crowds[i], target, self.publications)?);
            }
        }
        Ok(rounds)
    }

    fn round(
        &self,
        crowd: &mut Crowd,
        target: &Target,
        publications: u32,
    ) -> Result<Round, Failure> {
        let mut round = Round::default();
        let deliveries = crowd.board.tally.deliveries;
        for _ in 0..publications {
            interrupt::check()?;
            let mut data = Vec::new();
            let number = crowd.board.publish(0, Instant::now());
            write_data(number, self.payload as usize, &mut data);
            crowd.publish(0, 0, &data);
            let (before, begun) = (cpu(target)?, Instant::now());
            crowd.flush(0);
            let (end, after) = until_quiet(target, begun)?;
            round.elapsed += end.saturating_duration_since(begun);
            round.cpu += after.saturating_sub(before);
        }
        read_all(crowd)?;
        round.deliveries = crowd.board.tally.deliveries - deliveries;
        Ok(round)
    }
}

fn cpu(target: &Target) -> Result<Duration, Failure> {
    target.cpu().ok_or_else(|| Failure::failed(format!("{} is gone", target.name)))
}

/// Sleeps until the server uses no more CPU time. Says when that began, and how much it has used.
fn until_quiet(target: &Target, begun: Instant) -> Result<(Instant, Duration), Failure> {
    let (mut used, mut looked, mut end, mut quiet) = (cpu(target)?, begun, begun, 0);
    while quiet < QUIET_LOOKS && begun.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
        let (now, more) = (Instant::now(), cpu(target)?);
        if more.saturating_sub(used) > NOTHING {
            // It ended somewhere between the last look and this one.
            end = looked + (now - looked) / 2;
            quiet = 0;
        } else {
            quiet += 1;
        }
        (used, looked) = (more, now);
    }
    Ok((end, used))
}

/// Reads what the kernel has kept.
fn read_all(crowd: &mut Crowd) -> Result<(), Failure> {
    let begun = Instant::now();
    while crowd.board.under_way > 0 {
        if begun.elapsed() > PATIENCE {
            let name = &crowd.door().name;
            return Err(Failure::failed(format!("{name}: not everything has arrived")));
        }
        crowd.turn(PATIENCE)?;
    }
    crowd.board.completed.clear();
    crowd.check()
}

impl Round {
    /// What is compared.
    fn figures(&self) -> Figures {
        let deliveries = self.deliveries as f64;
        Figures {
            cpu: Some(self.cpu.as_secs_f64() / deliveries),
            speed: Some(deliveries / self.elapsed.as_secs_f64()),
            ..Figures::default()
        }
    }
}

impl Measured {
    fn of(target: &Target, workers: u32, publications: u64, rounds: &[Round]) -> Self {
        let deliveries: u64 = rounds.iter().map(|round| round.deliveries).sum();
        let seconds: f64 = rounds.iter().map(|round| round.elapsed.as_secs_f64()).sum();
        let cpu: f64 = rounds.iter().map(|round| round.cpu.as_secs_f64()).sum();
        Self {
            server: target.name.clone(),
            workers,
            publications: publications * rounds.len() as u64,
            deliveries,
            deliveries_per_second: deliveries as f64 / seconds,
            server_cpu_us_per_delivery: Some(cpu * 1e6 / deliveries.max(1) as f64),
            server_cores: Some(cpu / seconds),
        }
    }
}
