//! The worker's part when the node hands over to its successor: what its engine keeps goes out
//! piece by piece, between the turns.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;

impl Worker {
    /// Gives the pieces one by one, as fast as they are taken.
    pub(super) async fn hand_over(self: Rc<Self>, pieces: mpsc::Sender<Bytes>) {
        loop {
            let now = self.now();
            let piece = self.turn(|state| state.engine.poll_piece(now));
            let Some(piece) = piece else { return };
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    }

    /// The successor serves, or there is none.
    pub(super) fn settle_hand_over(&self, state: &mut State, now: Now, served: bool) {
        state.engine.settle_hand_over(now, served);
        self.take_from_engine(state, now);
    }
}
