//! What `pub` and `sub` have in common: which server, which certificates, and how the client's
//! errors are told.

use std::path::PathBuf;

use martlet_client::{Error, Fingerprint, Tls};
use tokio::runtime::Runtime;

use crate::failure::Failure;

/// Where the server is.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// The server's address
    #[arg(long, env = "MARTLET_URL", default_value = "http://127.0.0.1:8000")]
    pub url: String,

    /// Also believe certificates of the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Believe the one certificate with this SHA-256, such as a server's development certificate
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    fingerprint: Option<Fingerprint>,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text).map_err(|error| format!("{error}: {}", error.hint()))
}

impl Connection {
    /// Which certificates are believed.
    pub fn tls(&self) -> Tls {
        Tls { authorities: self.ca.clone(), fingerprint: self.fingerprint }
    }
}

/// A client's error as this program tells it.
pub fn failure(error: &Error) -> Failure {
    let failure = match error {
        Error::Address(_) | Error::Channel(_) | Error::Tls(_) => Failure::wrong(error),
        Error::Refused(refused) => {
            Failure::failed(format!("{} ({} {})", refused.message, refused.code, refused.name))
        }
        _ => Failure::failed(error),
    };
    match error.hint() {
        "" => failure,
        hint => failure.hint(hint),
    }
}

/// A runtime whose work goes on while this thread waits for a file or a pipe.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the program could not be set up: {error}")))
}
