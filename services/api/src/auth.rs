//! Who may call the API.
//!
//! A token is known only by its SHA-256: it has enough entropy of its own that a slow hash would add nothing. Comparison
//! takes the same time wherever two hashes differ. A token comes as a bearer token, or as the session that somebody has begun
//! with it (see [`session`]); the bearer token counts where both come.

mod foreign;
mod limit;
mod session;

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::num::NonZeroU32;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev, web};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tocsin_service::config::document::{ApiLimitSection, Scope};
use tocsin_service::config::{ConfigError, Document, Environment, Reloading};
use tocsin_service::http::{Problem, TrustedProxies};
use tocsin_shared::ErrorCode;

pub(crate) use self::limit::{Limiter, Standing};
pub(crate) use self::session::{COOKIE, Seal, Session, no_cookie};
use crate::caller::Caller;

/// Attempts at signing in that one address has in a minute.
const SIGN_INS_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(10) {
    Some(attempts) => attempts,
    None => NonZeroU32::MIN,
};

/// Decides who is let in.
#[derive(Debug)]
pub(crate) struct Door {
    tokens: Reloading<Tokens>,
    proxies: TrustedProxies,
    requests: Limiter<[u8; 32]>,
    sign_ins: Limiter<IpAddr>,
}

/// The known tokens, and what the file says of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    known: Vec<Token>,
    per_minute: NonZeroU32,
    seal: Seal,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    sha256: [u8; 32],
}

/// Who was let in, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) token: Token,
    /// Set for who has come with a session.
    pub(crate) session: Option<Session>,
}

impl Guest {
    /// When it is let in no more, as things stand.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.session.map_or(self.token.expires_at, |session| Some(session.expires_at))
    }
}

impl Tokens {
    /// Reads the hashes of the file's tokens. `seal` is for sessions where the file gives no secret.
    pub(crate) fn from_document(document: &Document, env: &Environment, seal: &Seal) -> Result<Self, ConfigError> {
        let mut known = Vec::new();
        let mut problems = Vec::new();
        for (index, section) in document.api.tokens.iter().enumerate() {
            let (name, scopes, expires_at) = (section.name.clone(), section.scopes.clone(), section.expires_at);
            match section.sha256(index).sha256(env) {
                Ok(sha256) => known.push(Token { name, scopes, expires_at, sha256 }),
                Err(problem) => problems.push(problem),
            }
        }
        let seal = match document.api.session_secret(env) {
            Ok(secret) => secret.map_or_else(|| seal.clone(), |secret| Seal::of(&secret)),
            Err(problem) => {
                problems.push(problem);
                seal.clone()
            }
        };
        let per_minute = document.api.limit.per_minute;
        if problems.is_empty() { Ok(Self { known, per_minute, seal }) } else { Err(ConfigError { problems }) }
    }

    /// One new token that may read and respond, printed for whoever started the process without a configuration.
    #[allow(clippy::print_stderr, reason = "the operator must see it, the logs must not")]
    pub(crate) fn demo(seal: Seal) -> Self {
        let token = hex::encode(rand::random::<[u8; 24]>());
        eprintln!("no TOCSIN_CONFIG is set; this run's API token is {token}");
        let (name, sha256) = ("demo".to_owned(), Sha256::digest(&token).into());
        let known = vec![Token { name, scopes: vec![Scope::Read, Scope::Respond], expires_at: None, sha256 }];
        Self { known, per_minute: ApiLimitSection::default().per_minute, seal }
    }

    fn find(&self, token: &str, now: DateTime<Utc>) -> Option<&Token> {
        let sha256: [u8; 32] = Sha256::digest(token).into();
        self.known.iter().find(|known| bool::from(known.sha256.ct_eq(&sha256))).filter(|token| token.lasts(now))
    }

    fn of_session(&self, session: &Session, now: DateTime<Utc>) -> Option<&Token> {
        self.known.iter().find(|known| known.sha256.starts_with(&session.token)).filter(|token| token.lasts(now))
    }
}

impl Token {
    fn lasts(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

impl Door {
    pub(crate) fn new(tokens: Reloading<Tokens>, proxies: TrustedProxies) -> Self {
        Self { tokens, proxies, requests: Limiter::default(), sign_ins: Limiter::default() }
    }

    /// Whoever the request comes from, if it may still make requests in this minute.
    pub(crate) fn guest(&self, request: &HttpRequest) -> Result<Guest, Problem> {
        let tokens = self.tokens.current();
        let guest = identify(request, &tokens)?;
        let standing = self.requests.take(guest.token.sha256, tokens.per_minute);
        request.extensions_mut().insert(standing);
        match standing.retry_after() {
            Some(seconds) => Err(Problem::new(ErrorCode::RateLimited).retry_after(seconds)),
            None => Ok(guest),
        }
    }

    /// Whether a guest that was let in would still be.
    pub(crate) fn still_admits(&self, guest: &Guest) -> bool {
        let (tokens, now) = (self.tokens.current(), Utc::now());
        guest.expires_at().is_none_or(|expires_at| now < expires_at)
            && tokens.known.iter().any(|token| token.sha256 == guest.token.sha256 && token.allows(Scope::Read))
    }

    /// Begins a session with a token; the cookie is for the browser that the request comes from.
    pub(crate) fn sign_in(
        &self,
        request: &HttpRequest,
        token: &str,
    ) -> Result<(Guest, actix_web::cookie::Cookie<'static>), Problem> {
        foreign::refuse(request)?;
        let Some(peer) = request.peer_addr() else {
            return Err(Problem::new(ErrorCode::Internal));
        };
        let standing =
            self.sign_ins.take(row_of(self.proxies.client_address(peer.ip(), request.headers())), SIGN_INS_PER_MINUTE);
        request.extensions_mut().insert(standing);
        if let Some(seconds) = standing.retry_after() {
            return Err(Problem::new(ErrorCode::RateLimited).retry_after(seconds));
        }
        let (tokens, now) = (self.tokens.current(), Utc::now());
        let token = tokens.find(token.trim(), now).ok_or(Problem::new(ErrorCode::InvalidToken))?.clone();
        let session = Session::begin(&token.sha256, token.expires_at, now);
        let cookie = tokens.seal.cookie(&session, self.is_https(request), now);
        let cookie = cookie.ok_or(Problem::new(ErrorCode::Internal))?;
        Ok((Guest { token, session: Some(session) }, cookie))
    }

    /// Ends the session of the browser that the request comes from. A copy of the cookie, had somebody made one, would last
    /// as long as it would have anyway: the api keeps no list of sessions.
    pub(crate) fn sign_out(&self, request: &HttpRequest) -> Result<actix_web::cookie::Cookie<'static>, Problem> {
        foreign::refuse(request)?;
        Ok(no_cookie(self.is_https(request)))
    }

    fn is_https(&self, request: &HttpRequest) -> bool {
        request.peer_addr().is_some_and(|peer| self.proxies.is_https(peer.ip(), request.headers()))
    }
}

/// Of an IPv6 address the first 64 bits count: one client has that many.
fn row_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        IpAddr::V4(_) => address,
    }
}

fn identify(request: &HttpRequest, tokens: &Tokens) -> Result<Guest, Problem> {
    let now = Utc::now();
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let bearer = header.to_str().ok().and_then(|text| text.split_once(' '));
        let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
            return Err(Problem::new(ErrorCode::InvalidToken).detail("send Authorization: Bearer <token>"));
        };
        let token = tokens.find(token.trim(), now).ok_or(Problem::new(ErrorCode::InvalidToken))?;
        return Ok(Guest { token: token.clone(), session: None });
    }
    let Some(cookie) = request.cookie(COOKIE) else {
        let detail = "send Authorization: Bearer <token>, or sign in";
        return Err(Problem::new(ErrorCode::MissingToken).detail(detail));
    };
    let session = tokens.seal.read(cookie.value(), now);
    let found = session.as_ref().and_then(|session| tokens.of_session(session, now));
    let ended = || Problem::new(ErrorCode::InvalidToken).detail("the session has ended; sign in again");
    let token = found.ok_or_else(ended)?.clone();
    if !request.method().is_safe() {
        foreign::refuse(request)?;
    }
    Ok(Guest { token, session })
}

/// A caller that may read. Take it as a handler's argument and the handler runs for nobody else.
#[derive(Debug)]
pub(crate) struct Reader(pub(crate) Guest);

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Read).map(Self))
    }
}

/// A caller that may act on incidents.
#[derive(Debug)]
pub(crate) struct Responder(pub(crate) Caller);

impl FromRequest for Responder {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Respond).and_then(|guest| Caller::of(request, &guest.token.name)).map(Self))
    }
}

/// A caller that may do everything.
#[derive(Debug)]
pub(crate) struct Admin(pub(crate) Caller);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Admin).and_then(|guest| Caller::of(request, &guest.token.name)).map(Self))
    }
}

/// The caller, if its token has the scope.
fn authorise(request: &HttpRequest, scope: Scope) -> Result<Guest, Problem> {
    let Some(door) = request.app_data::<web::Data<Door>>() else {
        return Err(Problem::new(ErrorCode::Internal));
    };
    let guest = door.guest(request)?;
    if guest.token.allows(scope) { Ok(guest) } else { Err(Problem::new(ErrorCode::InsufficientScope)) }
}
