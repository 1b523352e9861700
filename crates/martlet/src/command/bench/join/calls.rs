//! How often each command of Redis was run, as it counts them itself. It counts what functions run
//! inside too; martlet sends none of those commands itself.

use std::collections::BTreeMap;

use crate::command::bench::fleet::Store;
use crate::failure::Failure;

/// What only martlet's functions run (see the engine's library).
const INSIDE: [&str; 13] = [
    "time",
    "get",
    "hmget",
    "hset",
    "xadd",
    "xrange",
    "xrevrange",
    "xtrim",
    "pexpire",
    "zadd",
    "zrevrange",
    "zrangebyscore",
    "zscore",
];

/// And these, when a node says that it lives.
const INSIDE_BEATS: [&str; 3] = ["sismember", "smembers", "hgetall"];

/// How often each was run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls(BTreeMap<String, u64>);

impl Calls {
    /// How often until now.
    pub fn of(store: &Store) -> Result<Self, Failure> {
        Ok(Self::read(&store.ask(&["INFO", "commandstats"])?))
    }

    /// Reads lines such as `cmdstat_client|setinfo:calls=4,usec=9,…`.
    fn read(text: &str) -> Self {
        let one = |line: &str| {
            let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let count = figures.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), count))
        };
        Self(text.lines().filter_map(one).collect())
    }

    /// Those since then, without the question for them.
    pub fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        for (name, count) in &mut since.0 {
            *count = count.saturating_sub(before.named(name));
        }
        let asked = since.0.entry("info".into()).or_default();
        *asked = asked.saturating_sub(1);
        since
    }

    /// How often this one.
    pub fn named(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// How many were sent by somebody.
    pub fn sent(&self) -> u64 {
        self.0.values().sum::<u64>() - self.inside()
    }

    /// How many functions have run.
    pub fn inside(&self) -> u64 {
        INSIDE.iter().chain(&INSIDE_BEATS).map(|name| self.named(name)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_functions_run_is_told_apart_from_what_was_sent() {
        let before = Calls::read("# Commandstats\r\ncmdstat_info:calls=1,usec=9\r\n");
        let text = "cmdstat_info:calls=3,usec=9\r\ncmdstat_fcall:calls=2,usec=9\r\n\
                    cmdstat_hmget:calls=256,usec=9\r\ncmdstat_client|setinfo:calls=4,usec=1\r\n";
        let calls = Calls::read(text).since(&before);
        assert_eq!((calls.named("fcall"), calls.sent(), calls.inside()), (2, 7, 256));
    }
}
