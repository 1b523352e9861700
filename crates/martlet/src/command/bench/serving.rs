//! How the server is configured that is started for a run: everything that one client may meet
//! as a limit is out of its way, and channels do what an app needs of them: they keep a history,
//! from which clients recover. They do not tell everybody who comes and goes: with many in one
//! channel that would be most of what is measured.

use martlet_server::keys::{KeyHash, new_key};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::failure::Failure;

/// What every channel is, named or not.
const CHANNELS: &str =
    r#"{ subscribe = "anyone", publish = "anyone", history_size = 1000, history_age = "1h" }"#;

/// A server's arguments, and the key of its API.
pub struct Serving {
    /// The arguments.
    pub arguments: Vec<String>,
    /// The key of its API, which it alone knows.
    pub key: String,
}

impl Serving {
    /// A server of so many workers (0 is one for each core), with more keys of the configuration.
    pub fn new(workers: u32, set: &[String]) -> Result<Self, Failure> {
        let key = new_key().map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
        let keys = [
            format!("server.workers={workers}"),
            "limits.commands_per_second=1000000".into(),
            "limits.commands_burst=1000000".into(),
            "admission.per_second=0".into(),
            "admission.handshakes=0".into(),
            format!("channels.default={CHANNELS}"),
            format!("channels.unnamed={CHANNELS}"),
            "api.keys.0.name=bench".into(),
            format!("api.keys.0.sha256={}", KeyHash::of(&key)),
            "api.keys.0.scopes=all".into(),
            "log.format=text".into(),
            "log.level=info".into(),
        ];
        let mut arguments: Vec<String> =
            ["bench", "serve", "--listen", "127.0.0.1:0"].map(Into::into).into();
        for key in keys.iter().chain(set) {
            arguments.extend(["--set".into(), key.clone()]);
        }
        Ok(Self { arguments, key })
    }
}

/// Lets this process end when the one that started it ends, also when that is killed.
pub fn end_with_starter() -> Result<(), Failure> {
    let told = set_parent_process_death_signal(Some(Signal::KILL));
    told.map_err(|error| Failure::failed(format!("cannot follow its starter: {error}")))
}
