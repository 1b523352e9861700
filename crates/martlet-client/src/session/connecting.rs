//! How a session connects, with the token that it takes, and what becomes of everything when the
//! connection is lost or ends for good. When it comes back, `retry` says.

use super::*;

impl Session {
    /// Connects, or first gets the token for it; or waits until it may.
    pub(super) fn begin(&mut self, now: Now) {
        match self.retry.permit(now) {
            Ok(permit) => self.permit = Some(permit),
            Err(wait) => {
                self.phase = Phase::Away { until: now.instant.after(wait) };
                return;
            }
        }
        self.outputs.push_back(Output::State(State::Connecting));
        if self.credentials.lacking() {
            self.phase = Phase::Tokenless;
            self.fetch();
        } else {
            self.dial(now);
        }
    }

    fn dial(&mut self, now: Now) {
        let Some(permit) = self.permit.take() else { return self.begin(now) };
        let id = self.outbox.number();
        let mut connect = self.credentials.connect();
        let used = connect.token.as_ref().map_or(0, |token| token.len())
            + connect.grant.as_ref().map_or(0, |grant| grant.len());
        let mut wanted = self.channels.wanted().into_iter().peekable();
        connect.subscribe = self.ask_some(&mut wanted, id, used);
        let command = Numbered { id, command: Command::Connect(connect) };
        let first = codec::frame(self.outbox.wire(), &command);
        let node = self.target.node().cloned();
        self.phase = Phase::Dialing { id, until: now.instant.after(self.connect_timeout) };
        self.outputs.push_back(Output::Dial(Dial { permit, node, first }));
    }

    pub(super) fn fetch(&mut self) {
        if self.credentials.begin_fetch() {
            self.outputs.push_back(Output::Fetch(None));
        }
    }

    pub(super) fn handle_own_token(&mut self, now: Now, token: Result<Box<str>, Error>) {
        match (token, &self.phase) {
            (Ok(token), Phase::Open) => {
                self.credentials.handle_token(token);
                self.send_refresh();
            }
            (Ok(token), Phase::Tokenless) => {
                self.credentials.handle_token(token);
                self.dial(now);
            }
            (Ok(token), _) => self.credentials.handle_token(token),
            (Err(why), phase) => {
                let tokenless = *phase == Phase::Tokenless;
                self.credentials.handle_no_token(now.instant.after(self.pauses.small()));
                if tokenless {
                    self.lose(now, why, Advice::None);
                }
            }
        }
    }

    fn send_refresh(&mut self) {
        let id = self.outbox.number();
        if let Some(token) = self.credentials.refresh(id) {
            let command = Command::Refresh(Refresh { channel: None, token });
            self.outbox.push_numbered(Numbered { id, command });
        }
    }

    /// The connection is gone without a close, or is given up, or could not be made.
    pub(super) fn lose(&mut self, now: Now, why: Error, advice: Advice) {
        self.target.handle_lost();
        self.detach(now, why, advice);
    }

    /// The connection is over; the client comes back if it may.
    pub(super) fn detach(&mut self, now: Now, why: Error, advice: Advice) {
        if matches!(self.phase, Phase::Dialing { .. } | Phase::Open) {
            self.outputs.push_back(Output::HangUp);
        }
        self.credentials.handle_lost();
        self.channels.handle_lost();
        self.requests.handle_lost();
        self.heartbeat.handle_lost();
        self.outbox.clear();
        self.permit = None;
        let random = self.pauses.roll();
        let retry_in = self.retry.handle_lost(now, advice, random);
        self.outputs.push_back(Output::State(State::Disconnected { why: why.clone(), retry_in }));
        match retry_in {
            Some(wait) => self.phase = Phase::Away { until: now.instant.after(wait) },
            None => self.end(why),
        }
    }

    /// Nothing comes any more: everything that waits is told why.
    fn end(&mut self, why: Error) {
        let tickets: Vec<Ticket> = self.requests.tickets().collect();
        for ticket in tickets {
            self.requests.remove(ticket);
            self.outputs.push_back(Output::Reply(ticket, Err(why.clone())));
        }
        self.outputs.extend(self.channels.handle_end(&why));
        self.phase = Phase::Ended(why);
    }
}
