//! What a connection costs that only waits. Every byte here is there as often as there are clients.

use super::*;

fn size_of_future<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn the_task_of_a_connection_that_waits_is_small() {
    let hold = |(gate, request): (Rc<Gate>, Box<(Head, Held)>)| gate.hold(request);
    let serve = |(entrance, socket): (Rc<Entrance>, TcpStream)| entrance.serve(socket);
    let (hold, serve) = (size_of_future(hold), size_of_future(serve));
    assert!(hold <= 176 && serve <= 272, "hold {hold}, serve {serve}");
}

#[test]
fn a_session_that_waits_is_small() {
    let entry = crate::worker::ENTRY_BYTES;
    assert!(entry <= 336, "{entry}");
}
