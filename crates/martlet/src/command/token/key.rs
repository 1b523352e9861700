//! `martlet token key` and `martlet token secret`: random keys and secrets.

use martlet_server::keys::{KeyHash, new_key, new_secret};

use crate::failure::Failure;
use crate::output::print;

/// Make a new key for the backend API, and the lines for the configuration.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the key is called in the log
    #[arg(long, default_value = "backend")]
    name: String,

    /// What it is good for; repeat it for several
    #[arg(long = "scope", value_parser = ["publish", "read", "sessions", "all"], default_value = "all")]
    scopes: Vec<String>,
}

/// Prints a key and the lines for the configuration. The key is nowhere else.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let key = new_key().map_err(no_randomness)?;
    let hash = KeyHash::of(&key);
    let name = toml::Value::String(arguments.name.clone());
    let scopes: Vec<_> = arguments.scopes.iter().map(|scope| format!("{scope:?}")).collect();
    print(&format!(
        "{key}\n\n# The key above is for the backend, and is not shown again. For the \
         configuration:\n[[api.keys]]\nname = {name}\nsha256 = \"{hash}\"\nscopes = [{}]\n",
        scopes.join(", ")
    ))
}

/// Prints a secret.
pub fn secret() -> Result<(), Failure> {
    print(&format!("{}\n", new_secret().map_err(no_randomness)?))
}

fn no_randomness(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the system gave no random bytes: {error}"))
}
