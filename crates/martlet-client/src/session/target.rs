//! Where the next try goes: to the address that the application gave, or to that of a node which
//! the server named when it closed. It decides that, and connects to nothing.

use martlet_core::model::Code;

use crate::address::Address;

#[cfg(test)]
mod tests;

/// The target of one client.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whether the application's address is one of TLS.
    secure: bool,
    node: Option<Address>,
}

impl Target {
    /// A client's whose application gave `home`.
    pub fn new(home: &Address) -> Self {
        Self { secure: home.secure(), node: None }
    }

    /// The address of the node to connect to; `None` for the application's address.
    pub fn node(&self) -> Option<&Address> {
        self.node.as_ref()
    }

    /// The server closed a connection and named a node, or none. A node that closes its connections
    /// properly is kept, unless it does not want its clients back.
    pub fn handle_close(&mut self, code: Code, node: Option<&str>, live: bool) {
        let left = matches!(code, Code::Shutdown | Code::Busy | Code::Shed);
        let named = node.and_then(|node| self.named(node));
        let kept = self.node.take().filter(|_| live && !left);
        self.node = named.or(kept);
    }

    /// A try failed, or a connection broke off: behind the application's address they know who is
    /// there.
    pub fn handle_lost(&mut self) {
        self.node = None;
    }

    /// What is no whole address is not followed. Nor is a way out of TLS: whoever can name a node
    /// could else have the token and the grant sent in the clear.
    fn named(&self, node: &str) -> Option<Address> {
        let address = Address::parse(node).ok().filter(|_| node.contains("://"))?;
        (address.secure() || !self.secure).then_some(address)
    }
}
