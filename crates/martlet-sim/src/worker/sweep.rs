//! The sweep: writing to whoever has something coming, a few readers at a time.

use std::convert::Infallible;
use std::io::IoSlice;

use martlet_core::hub::Visit;

use super::*;

impl Worker {
    /// Visits up to `readers` marked readers. `write` takes as many bytes as the connection has
    /// room for and says how many.
    pub fn sweep(
        &mut self,
        now: Now,
        readers: usize,
        mut write: impl FnMut(ConnectionId, &[IoSlice<'_>]) -> usize,
    ) {
        for _ in 0..readers {
            let Some(reader) = self.lane.poll_marked() else { return };
            let Some(&id) = self.by_reader.get(&reader) else { continue };
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let Some(connection) = entry.connection else { continue };
            let held = entry.plain.is_some();
            let visit =
                self.lane.visit::<Infallible>(now.instant, reader, &mut self.encoders, |slices| {
                    Ok(if held { 0 } else { write(connection, slices) })
                });
            let Ok(visit) = visit;
            entry.blocked_since = match visit {
                Visit::Blocked if !held => entry.blocked_since.or(Some(now.instant)),
                _ => None,
            };
            self.touch(id);
            self.settle(now);
        }
    }
}
