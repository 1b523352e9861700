//! The engine's address: which one it is and where, in one text.

use martlet_engine::{nats, redis};

use super::error::Fault;
use super::given::{Given, Raw};
use super::value::{Value, needs};

/// Which engine keeps histories and carries publications between nodes, and where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EngineAddress {
    /// This node's memory, and no other node.
    #[default]
    Memory,
    /// Redis.
    Redis(Box<redis::Settings>),
    /// NATS with JetStream.
    Nats(Box<nats::Settings>),
}

impl EngineAddress {
    fn parse(text: &str) -> Result<Self, Fault> {
        let scheme = text.split("://").next().unwrap_or_default();
        match scheme {
            "memory" => Ok(Self::Memory),
            _ if scheme.starts_with("redis") => match redis::Settings::parse(text) {
                Ok(settings) => Ok(Self::Redis(Box::new(settings))),
                Err(error) => Err(Fault::new(error.to_string())),
            },
            "nats" | "tls" => match nats::Settings::parse(text) {
                Ok(settings) => Ok(Self::Nats(Box::new(settings))),
                Err(error) => Err(Fault::new(error.to_string())),
            },
            // The text may have a password in it.
            _ => Err(Fault::new(format!("this is not {}", Self::form()))),
        }
    }
}

impl Value for EngineAddress {
    fn form() -> String {
        "\"memory\", or an address such as \"redis://127.0.0.1:6379\" or \"nats://127.0.0.1:4222\""
            .into()
    }

    fn read(given: &Given) -> Result<Self, Fault> {
        match &given.raw {
            Raw::Text(text) | Raw::Word(text) => Self::parse(text),
            _ => Err(needs::<Self>(given)),
        }
    }

    fn write(&self) -> Option<String> {
        match self {
            Self::Memory => Some("\"memory\"".into()),
            // It is never written but as a default.
            Self::Redis(_) | Self::Nats(_) => None,
        }
    }
}
