//! Who the client says it is: its token, the grant and session that came of it, and when the
//! token is to be replaced.

use std::time::Duration;

use martlet_core::model::{Code, SessionKey, UnixMillis};
use martlet_core::session::{Connect, Connected};
use martlet_core::time::{Instant, Now};

/// The longest time before its end at which a token is replaced.
const LEAD_MAX: Duration = Duration::from_secs(60);

/// Token, grant and session.
#[derive(Debug)]
pub struct Credentials {
    token: Option<Box<str>>,
    /// Whether the application can give another token.
    renewable: bool,
    grant: Option<Box<str>>,
    session: Option<SessionKey>,
    agent: Box<str>,
    /// What the server's clock showed when ours showed `.0`; expiry dates are by its clock.
    clocks: (Instant, UnixMillis),
    renew_at: Option<Instant>,
    fetching: bool,
    /// The number of a `refresh` that is not answered.
    refreshing: Option<u32>,
}

impl Credentials {
    /// A client that begins with `token`, and can get others if `renewable`.
    pub fn new(token: Option<Box<str>>, renewable: bool, agent: Box<str>) -> Self {
        Self {
            token,
            renewable,
            grant: None,
            session: None,
            agent,
            clocks: Default::default(),
            renew_at: None,
            fetching: false,
            refreshing: None,
        }
    }

    /// The secret by which further requests find the session.
    pub fn session(&self) -> Option<SessionKey> {
        self.session
    }

    /// Whether the client comes back by its grant, which carries what it was admitted to.
    pub fn granted(&self) -> bool {
        self.grant.is_some()
    }

    /// Whether a token must be had before connecting.
    pub fn lacking(&self) -> bool {
        self.renewable && self.token.is_none() && self.grant.is_none()
    }

    /// The `connect` to say, without channels.
    pub fn connect(&self) -> Connect {
        Connect {
            token: if self.grant.is_some() { None } else { self.token.clone() },
            grant: self.grant.clone(),
            session: self.session,
            agent: Some(self.agent.clone()),
            subscribe: Vec::new(),
            ..Connect::default()
        }
    }

    /// The server let the client in.
    pub fn handle_connected(&mut self, now: Now, connected: &Connected) {
        self.grant = Some(connected.grant.clone()).filter(|grant| !grant.is_empty());
        self.session = Some(connected.session);
        self.clocks = (now.instant, connected.time);
        self.handle_expiry(now, connected.expires);
    }

    /// A newer grant.
    pub fn handle_grant(&mut self, grant: Box<str>) {
        self.grant = Some(grant);
    }

    /// The token is good until `expires`.
    pub fn handle_expiry(&mut self, now: Now, expires: Option<UnixMillis>) {
        self.refreshing = None;
        self.renew_at = expires.filter(|_| self.renewable).map(|expires| {
            let left = Duration::from_millis(expires.0.saturating_sub(self.server_time(now).0));
            now.instant.after(left.saturating_sub(LEAD_MAX.min(left / 5)))
        });
    }

    fn server_time(&self, now: Now) -> UnixMillis {
        let passed = now.instant.since(self.clocks.0).as_millis();
        self.clocks.1.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// The server refused the `connect`. Whether another try with something else makes sense.
    pub fn handle_refused(&mut self, code: Code) -> bool {
        match code {
            Code::GrantInvalid | Code::GrantExpired => self.forget_grant(),
            Code::TokenMissing | Code::TokenInvalid | Code::TokenExpired | Code::TokenEarly => {
                let had_grant = self.forget_grant();
                let had_token = self.token.take_if(|_| self.renewable).is_some();
                self.renewable && (had_token || had_grant)
            }
            _ => false,
        }
    }

    /// The token ended while connected: the grant ends with it.
    pub fn handle_expired(&mut self) {
        self.forget_grant();
        self.token.take_if(|_| self.renewable);
    }

    fn forget_grant(&mut self) -> bool {
        self.session = None;
        self.grant.take().is_some()
    }

    /// The connection is gone; what it was asked is not answered any more.
    pub fn handle_lost(&mut self) {
        self.refreshing = None;
        self.renew_at = None;
    }

    /// Whether a token is to be fetched now. It says so once for each.
    pub fn begin_fetch(&mut self) -> bool {
        self.renew_at = None;
        !std::mem::replace(&mut self.fetching, true)
    }

    /// The application gave a token.
    pub fn handle_token(&mut self, token: Box<str>) {
        self.fetching = false;
        self.token = Some(token);
    }

    /// The application gave no token; it is asked again at `again`.
    pub fn handle_no_token(&mut self, again: Instant) {
        self.fetching = false;
        self.refreshing = None;
        self.renew_at = Some(again);
    }

    /// The token, sent as a refresh under the number `id`.
    pub fn refresh(&mut self, id: u32) -> Option<Box<str>> {
        self.refreshing = Some(id);
        self.token.clone()
    }

    /// Whether `id` is the refresh that waits for its answer.
    pub fn is_refresh(&self, id: u32) -> bool {
        self.refreshing == Some(id)
    }

    /// When the token is to be replaced.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.renew_at
    }
}
