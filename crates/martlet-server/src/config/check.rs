//! Checks a configuration as a whole and turns it into [`Settings`]: bounds, things that need
//! each other, files that must be there. The only place that does.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::uri::Authority;
use martlet_core::crowd::{AdmissionRate, Budget};
use martlet_core::model::{ChannelName, Limits, Namespaces};
use martlet_transport::cors::Origins;

use super::error::{ConfigError, Fault};
use super::file::text_of;
use super::given::Given;
use super::sections;
use super::settings::{Settings, Tls};
use super::value::Secret;
use super::{Config, quantity};
use crate::drain::Plan;
use crate::identity::{TokenSource, is_host_and_port};
use crate::keys::{ApiKey, ApiKeys};
use crate::memory;

mod tokens;

/// The shortest secret. Shorter ones can be guessed, and RFC 7518 forbids them for HS256.
pub const SECRET_BYTES_MIN: usize = 32;

/// The largest file with a secret or a key, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 256 * 1024;

/// The most worker threads that may be asked for.
const WORKERS_MAX: usize = 1_024;

/// The smallest budget of memory, and the memory of a machine that does not say how much it has.
const MEMORY_BYTES_MIN: usize = 32 << 20;
const MEMORY_BYTES_UNKNOWN: usize = 4 << 30;

/// A second, a day.
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Checks everything and gives all that is wrong.
pub fn check(config: &Config) -> Result<Settings, Vec<ConfigError>> {
    let mut checker = Checker { given: &config.given, errors: Vec::new() };
    let settings = checker.settings(config);
    match checker.errors.is_empty() {
        true => Ok(settings),
        false => Err(checker.errors),
    }
}

/// Collects what is wrong; knows where each key was given.
struct Checker<'a> {
    given: &'a Given,
    errors: Vec<ConfigError>,
}

impl Checker<'_> {
    fn settings(&mut self, config: &Config) -> Settings {
        let options = &config.options;
        let memory_budget = self.memory(&options.memory);
        Settings {
            development: config.development,
            listen: self.listen(&options.server.listen, config.development),
            workers: self.workers(options.server.workers),
            origins: self.origins(&options.server.origins, config.development),
            tls: self.tls(&options.server.tls),
            anonymous: options.auth.anonymous,
            leeway: self.leeway(options.auth.leeway),
            tokens: self.tokens(&options.auth.tokens),
            keys: self.keys(&options.api.keys, config.development),
            namespaces: self.namespaces(&options.channels),
            ping: self.time("heartbeat.ping", options.heartbeat.ping, SECOND, DAY),
            pong: self.time("heartbeat.pong", options.heartbeat.pong, SECOND, DAY),
            resume: self.time("session.resume", options.session.resume, Duration::ZERO, DAY),
            age: self.age(options.session.age),
            admission: self.admission(&options.admission),
            handshakes: options.admission.handshakes,
            drain: self.drain(&options.drain),
            address: self.address(options.server.address.as_deref()),
            grant_secret: self.secret("grant", &options.grant.secret, &options.grant.secret_file),
            grant_lifetime: self.time("grant.lifetime", options.grant.lifetime, SECOND, 365 * DAY),
            memory_budget,
            limits: self.limits(&options.limits, memory_budget),
            engine: options.engine.address.clone(),
            log_format: options.log.format,
            log_level: options.log.level.clone(),
        }
    }

    fn wrong(&mut self, path: &str, fault: Fault) {
        let source = Some(self.given.source_of(path).clone());
        self.errors.push(ConfigError { source, path: path.to_owned(), fault });
    }

    fn listen(&mut self, listen: &[SocketAddr], development: bool) -> Vec<SocketAddr> {
        if listen.is_empty() {
            self.wrong("server.listen", Fault::new("there is no address to listen on"));
        }
        let open = listen.iter().find(|address| !address.ip().is_loopback());
        if let (Some(address), true) = (open, development) {
            let fault = Fault::new(format!(
                "without a configuration everything is open to everybody, so the server listens \
                 on this machine only, not on {address}"
            ));
            let hint = "say who may do what in a file (begin with: martlet config default > \
                        martlet.toml) and start with --config martlet.toml";
            self.wrong("server.listen", fault.hint(hint));
        }
        listen.to_vec()
    }

    fn workers(&mut self, workers: usize) -> usize {
        self.count("server.workers", workers, 0, WORKERS_MAX);
        match workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    /// Pages that this server serves itself may always connect. In development mode nothing else
    /// protects the server, so it is only pages of this machine.
    fn origins(&mut self, origins: &[String], development: bool) -> Origins {
        for (index, origin) in origins.iter().enumerate() {
            if origin != "*" && !is_origin(origin) {
                let text = super::value::shown(origin);
                let fault = Fault::new(format!("{text} is not an origin"));
                let hint = "write \"https://example.com\", with a port if needed and no path";
                self.wrong(&format!("server.origins[{index}]"), fault.hint(hint));
            }
        }
        let origins = Origins::new(origins);
        if development { origins.and_this_machine() } else { origins.and_same_host() }
    }

    fn tls(&mut self, tls: &sections::Tls) -> Option<Tls> {
        for (key, file) in [("certificate", &tls.certificate), ("key", &tls.key)] {
            if let Some(file) = file {
                self.readable(&format!("server.tls.{key}"), file);
            }
        }
        match (&tls.certificate, &tls.key, tls.development) {
            (None, None, false) => None,
            (None, None, true) => Some(Tls::Development),
            (Some(certificate), Some(key), false) => {
                Some(Tls::Files { certificate: certificate.clone(), key: key.clone() })
            }
            (_, _, true) => {
                let fault = Fault::new("a development certificate and files exclude each other");
                self.wrong("server.tls.development", fault);
                None
            }
            (certificate, _, false) => {
                let missing = if certificate.is_none() { "certificate" } else { "key" };
                let fault =
                    Fault::new(format!("certificate and key go together; {missing} is missing"));
                self.wrong("server.tls", fault);
                None
            }
        }
    }

    fn age(&mut self, age: Duration) -> Duration {
        match age.is_zero() {
            true => age,
            false => self.time("session.age", age, Duration::from_secs(10), 365 * DAY),
        }
    }

    fn admission(&mut self, admission: &sections::Admission) -> AdmissionRate {
        self.count("admission.per_second", admission.per_second as usize, 0, 1_000_000);
        self.count("admission.handshakes", admission.handshakes, 0, 1_000_000);
        AdmissionRate { per_second: admission.per_second }
    }

    fn drain(&mut self, drain: &sections::Drain) -> Plan {
        Plan {
            wait: self.time("drain.wait", drain.wait, Duration::ZERO, DAY),
            over: self.time("drain.over", drain.over, Duration::ZERO, DAY),
            elsewhere: drain.elsewhere,
            ..Plan::at_once(self.time("drain.force", drain.force, Duration::ZERO, DAY))
        }
    }

    /// The memory that the node may take: what is asked for, or most of what there is.
    fn memory(&mut self, memory: &sections::Memory) -> usize {
        let bytes = memory.budget.0;
        if bytes > 0 {
            self.size("memory.budget", bytes, MEMORY_BYTES_MIN, 1 << 44);
            return bytes;
        }
        let given = memory::given().unwrap_or(MEMORY_BYTES_UNKNOWN);
        (given / 4 * 3).max(MEMORY_BYTES_MIN)
    }

    fn address(&mut self, address: Option<&str>) -> Option<Box<str>> {
        let address = address?;
        if !is_origin(address) {
            let text = super::value::shown(address);
            let fault = Fault::new(format!("{text} is not an address that clients can open"));
            let hint = "write \"https://b.example.com:8000\", with no path";
            self.wrong("server.address", fault.hint(hint));
        }
        Some(address.into())
    }

    fn leeway(&mut self, leeway: Duration) -> Duration {
        self.time("auth.leeway", leeway, Duration::ZERO, Duration::from_secs(3_600))
    }

    fn keys(&mut self, keys: &[sections::ApiKey], development: bool) -> ApiKeys {
        if development {
            return ApiKeys::Open;
        }
        let checked = keys.iter().enumerate().filter_map(|(index, key)| {
            let path = format!("api.keys[{index}]");
            let before = &keys[..index];
            if key.name.is_empty() {
                self.wrong(&path, Fault::new("the key has no name").hint("add name = \"…\""));
            } else if before.iter().any(|other| other.name == key.name) {
                let fault = Fault::new(format!("there is another key named {:?}", key.name));
                self.wrong(&format!("{path}.name"), fault);
            }
            if key.scopes.is_empty() {
                let fault = Fault::new("the key is good for nothing");
                self.wrong(
                    &path,
                    fault.hint("add scopes = [\"publish\"], or \"read\", \"sessions\", \"all\""),
                );
            }
            if key.sha256.is_none() {
                let fault = Fault::new("the key has no sha256");
                self.wrong(&path, fault.hint("make a key and its hash with martlet token key"));
            }
            let hash = key.sha256?;
            Some(ApiKey { name: key.name.clone(), hash, scopes: key.scopes.clone() })
        });
        ApiKeys::Keys(checked.collect())
    }

    fn namespaces(&mut self, channels: &sections::Channels) -> Namespaces {
        self.namespace("channels.default", &channels.default);
        if let Some(unnamed) = &channels.unnamed {
            self.namespace("channels.unnamed", unnamed);
        }
        for (name, options) in &channels.namespace {
            let path = format!("channels.namespace.{name}");
            if name.is_empty()
                || name.contains(':')
                || ChannelName::parse(&format!("{name}:")).is_err()
            {
                let fault =
                    Fault::new("a namespace's name has no blanks, control characters or \":\"");
                self.wrong(&path, fault);
            }
            self.namespace(&path, options);
        }
        let named = channels.namespace.iter();
        Namespaces {
            default: Some((&channels.default).into()),
            named: named.map(|(name, options)| (name.as_str().into(), options.into())).collect(),
            unnamed: channels.unnamed.as_ref().map(Into::into),
        }
    }

    fn namespace(&mut self, path: &str, options: &sections::Namespace) {
        let year = 365 * DAY;
        self.count(&format!("{path}.history_size"), options.history_size, 0, 10_000_000);
        self.time(&format!("{path}.history_age"), options.history_age, SECOND, 10 * year);
        self.time(&format!("{path}.presence_grace"), options.presence_grace, Duration::ZERO, DAY);
        if options.join_leave && !options.presence {
            let fault = Fault::new("joins and leaves are only known with presence");
            self.wrong(&format!("{path}.join_leave"), fault.hint("add presence = true"));
        }
    }

    fn limits(&mut self, limits: &sections::Limits, memory: usize) -> Limits {
        let mib = 1 << 20;
        let sizes = [
            ("frame_bytes", limits.frame_bytes, 1 << 10, 64 * mib),
            ("data_bytes", limits.data_bytes, 1, 64 * mib),
            ("name_bytes", limits.name_bytes, 1, 1 << 10),
            ("history_bytes", limits.history_bytes, mib, 1 << 40),
            ("owed_bytes", limits.owed_bytes, 1 << 10, 1 << 30),
            ("log_bytes", limits.log_bytes, 1 << 10, 1 << 30),
        ];
        for (key, size, least, most) in sizes {
            self.size(&format!("limits.{key}"), size.0, least, most);
        }
        let counts = [
            ("commands_per_frame", limits.commands_per_frame, 1, 65_536),
            ("tags", limits.tags, 0, 1_024),
            ("channels_per_client", limits.channels_per_client, 1, 65_536),
            ("channels_per_node", limits.channels_per_node, 1, 100_000_000),
            ("history_page", limits.history_page, 1, 100_000),
            ("presence_page", limits.presence_page, 1, 100_000),
            ("commands_per_second", limits.commands_per_second as usize, 1, 1_000_000),
            ("commands_burst", limits.commands_burst as usize, 1, 1_000_000),
            ("user_publications_burst", limits.user_publications_burst as usize, 1, 1_000_000),
            ("log_publications", limits.log_publications, 1, 1 << 20),
        ];
        for (key, count, least, most) in counts {
            self.count(&format!("limits.{key}"), count, least, most);
        }
        self.time("limits.connect_timeout", limits.connect_timeout, SECOND, DAY);
        self.time("limits.write_timeout", limits.write_timeout, SECOND, DAY);
        self.nested_sizes(limits);
        let history_bytes = limits.history_bytes.0.min(Budget::for_histories(memory));
        Limits { history_bytes, ..limits.into() }
    }

    fn nested_sizes(&mut self, limits: &sections::Limits) {
        if limits.data_bytes >= limits.frame_bytes {
            let fault =
                Fault::new("data comes inside a frame, so this is less than limits.frame_bytes");
            let frame = quantity::write_size(limits.frame_bytes.0);
            self.wrong("limits.data_bytes", fault.hint(format!("limits.frame_bytes is {frame}")));
        }
        if limits.log_bytes < limits.data_bytes {
            let fault = Fault::new(
                "a log holds at least one publication, so this is not less than limits.data_bytes",
            );
            self.wrong("limits.log_bytes", fault);
        }
    }

    fn tokens(&mut self, tokens: &[sections::TokenKeys]) -> Vec<TokenSource> {
        let sources = tokens.iter().enumerate();
        sources.filter_map(|(index, keys)| tokens::check(self, index, keys)).collect()
    }

    fn time(&mut self, path: &str, time: Duration, least: Duration, most: Duration) -> Duration {
        let write = quantity::write_duration;
        if time < least || time > most {
            let fault =
                format!("{} is not between {} and {}", write(time), write(least), write(most));
            self.wrong(path, Fault::new(fault));
        }
        time
    }

    fn size(&mut self, path: &str, size: usize, least: usize, most: usize) {
        let write = quantity::write_size;
        if size < least || size > most {
            let fault =
                format!("{} is not between {} and {}", write(size), write(least), write(most));
            self.wrong(path, Fault::new(fault));
        }
    }

    fn count(&mut self, path: &str, count: usize, least: usize, most: usize) {
        if count < least || count > most {
            self.wrong(path, Fault::new(format!("{count} is not between {least} and {most}")));
        }
    }

    fn readable(&mut self, path: &str, file: &Path) {
        if let Err(error) = std::fs::File::open(file) {
            let fault = Fault::new(format!("{} cannot be read: {error}", file.display()));
            self.wrong(path, fault);
        }
    }

    /// A secret given as text or in a file, if it is given and long enough.
    fn secret(
        &mut self,
        path: &str,
        text: &Option<Secret>,
        file: &Option<std::path::PathBuf>,
    ) -> Option<Secret> {
        let (path, secret) = match (text, file) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.wrong(path, Fault::new("give secret or secret_file, not both"));
                return None;
            }
            (Some(secret), None) => (format!("{path}.secret"), secret.clone()),
            (None, Some(file)) => {
                let path = format!("{path}.secret_file");
                let text = self.text_of(&path, file)?;
                (path, Secret(text.trim_end().to_owned()))
            }
        };
        if secret.0.len() >= SECRET_BYTES_MIN {
            return Some(secret);
        }
        let fault = Fault::new(format!(
            "the secret has {} bytes; it needs at least {SECRET_BYTES_MIN}",
            secret.0.len()
        ));
        self.wrong(&path, fault.hint("make one with: martlet token secret"));
        None
    }

    /// The text of a small file, or a note of why it cannot be had.
    fn text_of(&mut self, path: &str, file: &Path) -> Option<String> {
        let text = text_of(file, SECRET_FILE_BYTES_MAX);
        let fault = match text {
            Ok(text) => return Some(text),
            Err(fault) => fault,
        };
        self.wrong(
            path,
            Fault { message: format!("{}: {}", file.display(), fault.message), ..fault },
        );
        None
    }
}

/// Whether a browser could send this as `Origin`: scheme, host and perhaps a port, no more.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let web = matches!(scheme, "http" | "https");
    web && !authority.host().contains('*') && is_host_and_port(&authority)
}
