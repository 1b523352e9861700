//! The contract of engines: what whoever implements [`Engine`] promises, as one suite that the
//! memory engine, the simulator's store and every real product must pass. It knows no product,
//! no clock and no runtime: a [`Site`] brings those.

use martlet_core::port::Engine;
use martlet_core::time::Now;

mod keeping;
mod members;
mod news;
mod numbering;
mod stage;

pub use stage::Stage;

/// Where engines are made and run.
pub trait Site {
    /// An engine of this node. Engines of different numbers are different nodes.
    fn engine(&mut self, node: u32) -> Box<dyn Engine>;

    /// Whether engines of several nodes have one store.
    fn shares(&self) -> bool;

    /// Lets far halves work until something came, or for some milliseconds.
    fn let_work(&mut self);

    /// What time it is.
    fn now(&self) -> Now;

    /// What makes names of channels unlike those of other runs against the same store.
    fn mark(&self) -> u32 {
        0
    }
}

/// A promise, and how it is tried.
pub struct Case {
    /// What is promised.
    pub name: &'static str,
    /// How many nodes it takes.
    pub nodes: u32,
    /// Tries it. Panics if the promise is not kept.
    pub run: fn(&mut Stage<'_>),
}

/// Makes a case of a function; its name is the promise.
macro_rules! promises {
    ($nodes:expr; $($run:ident),* $(,)?) => {
        [$($crate::contract::Case { name: stringify!($run), nodes: $nodes, run: $run }),*]
    };
}
pub(crate) use promises;

/// Every promise.
pub fn cases() -> Vec<Case> {
    let all = [numbering::all(), keeping::all(), news::all(), members::all()];
    all.into_iter().flatten().collect()
}

/// Tries every promise that the site can try, each with new engines. Panics at the end with the
/// names of those that were not kept; gives how many were.
pub fn keep_all_promises(site: &mut dyn Site) -> usize {
    let shares = site.shares();
    let cases = cases().into_iter().filter(|case| shares || case.nodes == 1);
    let mut broken = Vec::new();
    let mut kept = 0;
    for (number, case) in cases.enumerate() {
        let mut stage = Stage::new(site, number as u32, case.nodes);
        let run = std::panic::AssertUnwindSafe(|| (case.run)(&mut stage));
        match std::panic::catch_unwind(run) {
            Ok(()) => kept += 1,
            Err(cause) => broken.push(format!("{}: {}", case.name, words(&cause))),
        }
    }
    assert!(broken.is_empty(), "promises that were not kept:\n  {}\n", broken.join("\n  "));
    kept
}

fn words(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_default()
}
