//! The machine that a run was made on, without which its figures say little; and who gets which
//! of its cores.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use super::process::kilobytes;

/// What is said about the machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The name of the processor.
    pub cpu: String,
    /// How many cores it has.
    pub cores: usize,
    /// The version of the kernel.
    pub kernel: String,
    /// All memory, in bytes.
    pub memory: u64,
    /// The version of this program.
    pub martlet: &'static str,
    /// Whether it was built with optimizations.
    pub optimized: bool,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cpu: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            cores: cpus.lines().filter(|line| line.starts_with("processor")).count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory: kilobytes(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0),
            martlet: env!("CARGO_PKG_VERSION"),
            optimized: !cfg!(debug_assertions),
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let Self { cpu, cores, kernel, martlet, .. } = self;
        let gigabytes = self.memory as f64 / f64::from(1 << 30);
        let build = if self.optimized { "" } else { " (debug build)" };
        format!(
            "{cpu}, {cores} cores, {gigabytes:.0} GiB, Linux {kernel}, martlet {martlet}{build}"
        )
    }
}

/// The cores shared out: the last one is the generator's, the others are the servers'.
#[derive(Debug)]
pub struct Cores {
    servers: CpuSet,
    generator: CpuSet,
    /// How many the servers have.
    pub count: u32,
}

impl Cores {
    /// Shares out the cores; `None` when there is only one.
    pub fn share() -> Option<Self> {
        let mut servers = sched_getaffinity(None).ok()?;
        let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| servers.is_set(*cpu))?;
        servers.unset(last);
        let mut generator = CpuSet::new();
        generator.set(last);
        let count = servers.count();
        (count > 0).then_some(Self { servers, generator, count })
    }

    /// Moves this thread to the servers' cores: processes that it starts begin there.
    pub fn start_servers(&self) -> std::io::Result<()> {
        Ok(sched_setaffinity(None, &self.servers)?)
    }

    /// Moves this thread to the generator's core.
    pub fn generate(&self) -> std::io::Result<()> {
        Ok(sched_setaffinity(None, &self.generator)?)
    }
}
