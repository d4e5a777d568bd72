//! Who may call the API.
//!
//! A token is known only by its SHA-256: it has enough entropy of its own that a slow hash would add nothing. Comparison
//! takes the same time wherever two hashes differ. A token comes as a bearer token, or as the session that somebody has begun
//! with it (see [`session`]); the bearer token counts where both come. A session may instead be that of somebody who has signed
//! in at a provider (see [`oidc`]).

mod foreign;
mod limit;
mod oidc;
mod session;

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev, web};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tocsin_service::config::document::{ApiLimitSection, Scope};
use tocsin_service::config::{ConfigError, Document, Environment, Reloading};
use tocsin_service::http::{Problem, RequestId, TrustedProxies};
use tocsin_service::with_causes;
use tocsin_shared::{Actor, ActorKind, ErrorCode};
use url::Url;

pub(crate) use self::limit::{Limiter, Standing};
use self::oidc::Flow;
pub(crate) use self::oidc::{Answer, CALLBACK, Oidc, OidcError};
pub(crate) use self::session::{COOKIE, Seal, no_cookie};
use self::session::{Holder, Session};
use crate::caller::Caller;

/// Attempts at signing in that one address has in a minute.
const SIGN_INS_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(10) {
    Some(attempts) => attempts,
    None => NonZeroU32::MIN,
};

/// Visits to the provider that one address has in a minute: a whole office may have one address.
const VISITS_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(60) {
    Some(visits) => visits,
    None => NonZeroU32::MIN,
};

/// Decides who is let in.
#[derive(Debug)]
pub(crate) struct Door {
    tokens: Reloading<Tokens>,
    proxies: TrustedProxies,
    requests: Limiter<[u8; 32]>,
    sign_ins: Limiter<IpAddr>,
    visits: Limiter<IpAddr>,
}

/// The known tokens, and what the file says of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    known: Vec<Token>,
    per_minute: NonZeroU32,
    seal: Seal,
    oidc: Option<Arc<Oidc>>,
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
    pub(crate) actor: Actor,
    pub(crate) scopes: Vec<Scope>,
    /// When it is let in no more, as things stand.
    pub(crate) expires_at: Option<DateTime<Utc>>,
    by: By,
}

/// On what grounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A token with this hash.
    Token([u8; 32]),
    /// What the file says of accounts at the provider.
    Provider(oidc::Edition),
}

impl Guest {
    fn of_token(token: &Token, expires_at: Option<DateTime<Utc>>) -> Self {
        let actor = Actor { kind: ActorKind::Token, id: token.name.clone(), name: token.name.clone() };
        Self { actor, scopes: token.scopes.clone(), expires_at, by: By::Token(token.sha256) }
    }

    fn of_person(person: &oidc::Person, edition: oidc::Edition, expires_at: DateTime<Utc>) -> Self {
        let actor = Actor { kind: ActorKind::User, id: person.subject.clone(), name: person.name.clone() };
        let (scopes, by) = (person.scopes.clone(), By::Provider(edition));
        Self { actor, scopes, expires_at: Some(expires_at), by }
    }

    fn allows(&self, scope: Scope) -> bool {
        allow(&self.scopes, scope)
    }

    /// By which its requests are counted.
    fn row(&self) -> [u8; 32] {
        match self.by {
            By::Token(sha256) => sha256,
            By::Provider(edition) => Sha256::digest([&edition[..], self.actor.id.as_bytes()].concat()).into(),
        }
    }
}

fn allow(scopes: &[Scope], scope: Scope) -> bool {
    scopes.contains(&scope) || scopes.contains(&Scope::Admin)
}

impl Tokens {
    /// Reads the hashes of the file's tokens. `seal` is for sessions where the file gives no secret, `public_url` for who
    /// comes back from the provider.
    pub(crate) fn from_document(
        document: &Document,
        env: &Environment,
        seal: &Seal,
        public_url: Option<&Url>,
    ) -> Result<Self, ConfigError> {
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
        let oidc = match Oidc::from_document(document, env, public_url) {
            Ok(oidc) => oidc.map(Arc::new),
            Err(error) => {
                problems.extend(error.problems);
                None
            }
        };
        let per_minute = document.api.limit.per_minute;
        if problems.is_empty() { Ok(Self { known, per_minute, seal, oidc }) } else { Err(ConfigError { problems }) }
    }

    /// One new token that may read and respond, printed for whoever started the process without a configuration.
    #[allow(clippy::print_stderr, reason = "the operator must see it, the logs must not")]
    pub(crate) fn demo(seal: Seal) -> Self {
        let token = hex::encode(rand::random::<[u8; 24]>());
        eprintln!("no TOCSIN_CONFIG is set; this run's API token is {token}");
        let (name, sha256) = ("demo".to_owned(), Sha256::digest(&token).into());
        let known = vec![Token { name, scopes: vec![Scope::Read, Scope::Respond], expires_at: None, sha256 }];
        Self { known, per_minute: ApiLimitSection::default().per_minute, seal, oidc: None }
    }

    fn find(&self, token: &str, now: DateTime<Utc>) -> Option<&Token> {
        let sha256: [u8; 32] = Sha256::digest(token).into();
        self.known.iter().find(|known| bool::from(known.sha256.ct_eq(&sha256))).filter(|token| token.lasts(now))
    }

    fn of_session(&self, session: &Session, now: DateTime<Utc>) -> Option<Guest> {
        match &session.holder {
            Holder::Token(prefix) => {
                let token = self.known.iter().find(|known| known.sha256.starts_with(prefix))?;
                token.lasts(now).then(|| Guest::of_token(token, Some(session.expires_at)))
            }
            Holder::Person(person, edition) => {
                self.admits_from(*edition).then(|| Guest::of_person(person, *edition, session.expires_at))
            }
        }
    }

    /// Whether the file still says what it said when somebody came from the provider.
    fn admits_from(&self, edition: oidc::Edition) -> bool {
        self.oidc.as_ref().is_some_and(|oidc| oidc.edition == edition)
    }
}

impl Token {
    fn lasts(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

impl Door {
    pub(crate) fn new(tokens: Reloading<Tokens>, proxies: TrustedProxies) -> Self {
        Self { tokens, proxies, requests: Limiter::default(), sign_ins: Limiter::default(), visits: Limiter::default() }
    }

    /// Whoever the request comes from, if it may still make requests in this minute.
    pub(crate) fn guest(&self, request: &HttpRequest) -> Result<Guest, Problem> {
        let tokens = self.tokens.current();
        let guest = identify(request, &tokens)?;
        let standing = self.requests.take(guest.row(), tokens.per_minute);
        request.extensions_mut().insert(standing);
        match standing.retry_after() {
            Some(seconds) => Err(Problem::new(ErrorCode::RateLimited).retry_after(seconds)),
            None => Ok(guest),
        }
    }

    /// Whether a guest that was let in would still be.
    pub(crate) fn still_admits(&self, guest: &Guest) -> bool {
        let (tokens, now) = (self.tokens.current(), Utc::now());
        let is_known = match guest.by {
            By::Token(sha256) => {
                tokens.known.iter().any(|token| token.sha256 == sha256 && allow(&token.scopes, Scope::Read))
            }
            By::Provider(edition) => tokens.admits_from(edition),
        };
        is_known && guest.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Begins a session with a token; the cookie is for the browser that the request comes from.
    pub(crate) fn sign_in(&self, request: &HttpRequest, token: &str) -> Result<(Guest, Cookie<'static>), Problem> {
        foreign::refuse(request)?;
        self.count(request, &self.sign_ins, SIGN_INS_PER_MINUTE)?;
        let (tokens, now) = (self.tokens.current(), Utc::now());
        let token = tokens.find(token.trim(), now).ok_or(Problem::new(ErrorCode::InvalidToken))?.clone();
        let session = Session::begin(&token.sha256, token.expires_at, now);
        let cookie = tokens.seal.cookie(&session, self.is_https(request), now);
        let cookie = cookie.ok_or(Problem::new(ErrorCode::Internal))?;
        Ok((Guest::of_token(&token, Some(session.expires_at)), cookie))
    }

    /// The provider at which people can sign in, if the file names one.
    pub(crate) fn oidc(&self) -> Option<Arc<Oidc>> {
        self.tokens.current().oidc.clone()
    }

    /// Sends somebody to the provider, and back to `return_to` in the end, if that is an address of ours. The cookie is for the
    /// browser that the request comes from.
    pub(crate) async fn leave(
        &self,
        request: &HttpRequest,
        return_to: Option<&str>,
    ) -> Result<(Url, Cookie<'static>), Problem> {
        let tokens = self.tokens.current();
        let oidc = tokens.oidc.as_ref().ok_or(Problem::new(ErrorCode::NotFound))?;
        self.count(request, &self.visits, VISITS_PER_MINUTE)?;
        let (url, flow) = oidc.begin(oidc::local(return_to)).await.map_err(|error| refused(request, &error))?;
        let cookie = flow.cookie(&tokens.seal, self.is_https(request), Utc::now());
        Ok((url, cookie.ok_or(Problem::new(ErrorCode::Internal))?))
    }

    /// Begins the session of somebody who comes back from the provider; also says where they wanted to go.
    pub(crate) async fn come_back(
        &self,
        request: &HttpRequest,
        answer: Answer,
    ) -> Result<(String, Cookie<'static>), Problem> {
        let tokens = self.tokens.current();
        let oidc = tokens.oidc.as_ref().ok_or(Problem::new(ErrorCode::NotFound))?;
        let flow = request.cookie(oidc::COOKIE).and_then(|cookie| Flow::read(&tokens.seal, cookie.value(), Utc::now()));
        let flow = flow.ok_or(OidcError::Unknown).map_err(|error| refused(request, &error))?;
        let return_to = flow.return_to.clone();
        let person = oidc.finish(flow, answer).await.map_err(|error| refused(request, &error))?;
        let now = Utc::now();
        let session = Session::of_person(person, oidc.edition, oidc.lifetime, now);
        let cookie = tokens.seal.cookie(&session, self.is_https(request), now);
        Ok((return_to, cookie.ok_or(Problem::new(ErrorCode::Internal))?))
    }

    /// The cookie that takes the place of what somebody has brought back from the provider.
    pub(crate) fn forget_visit(&self, request: &HttpRequest) -> Cookie<'static> {
        Flow::no_cookie(self.is_https(request))
    }

    /// Refuses who has come too often from one address.
    fn count(&self, request: &HttpRequest, limiter: &Limiter<IpAddr>, per_minute: NonZeroU32) -> Result<(), Problem> {
        let Some(peer) = request.peer_addr() else {
            return Err(Problem::new(ErrorCode::Internal));
        };
        let address = row_of(self.proxies.client_address(peer.ip(), request.headers()));
        let standing = limiter.take(address, per_minute);
        request.extensions_mut().insert(standing);
        match standing.retry_after() {
            Some(seconds) => Err(Problem::new(ErrorCode::RateLimited).retry_after(seconds)),
            None => Ok(()),
        }
    }

    /// Ends the session of the browser that the request comes from. A copy of the cookie, had somebody made one, would last
    /// as long as it would have anyway: the api keeps no list of sessions.
    pub(crate) fn sign_out(&self, request: &HttpRequest) -> Result<Cookie<'static>, Problem> {
        foreign::refuse(request)?;
        Ok(no_cookie(self.is_https(request)))
    }

    fn is_https(&self, request: &HttpRequest) -> bool {
        request.peer_addr().is_some_and(|peer| self.proxies.is_https(peer.ip(), request.headers()))
    }
}

/// What somebody is told who comes from the provider and is not let in; the rest is logged here.
fn refused(request: &HttpRequest, error: &OidcError) -> Problem {
    let extensions = request.extensions();
    let request_id = extensions.get::<RequestId>().map(RequestId::as_str);
    tracing::warn!(error = with_causes(error), request_id, "a sign-in at the provider came to nothing");
    Problem::from(error)
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
        return Ok(Guest::of_token(token, token.expires_at));
    }
    let Some(cookie) = request.cookie(COOKIE) else {
        let detail = "send Authorization: Bearer <token>, or sign in";
        return Err(Problem::new(ErrorCode::MissingToken).detail(detail));
    };
    let guest = tokens.seal.read(cookie.value(), now).and_then(|session| tokens.of_session(&session, now));
    let ended = || Problem::new(ErrorCode::InvalidToken).detail("the session has ended; sign in again");
    let guest = guest.ok_or_else(ended)?;
    if !request.method().is_safe() {
        foreign::refuse(request)?;
    }
    Ok(guest)
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
        ready(authorise(request, Scope::Respond).and_then(|guest| Caller::of(request, &guest.actor)).map(Self))
    }
}

/// A caller that may do everything.
#[derive(Debug)]
pub(crate) struct Admin(pub(crate) Caller);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Admin).and_then(|guest| Caller::of(request, &guest.actor)).map(Self))
    }
}

/// The caller, if its token has the scope.
fn authorise(request: &HttpRequest, scope: Scope) -> Result<Guest, Problem> {
    let Some(door) = request.app_data::<web::Data<Door>>() else {
        return Err(Problem::new(ErrorCode::Internal));
    };
    let guest = door.guest(request)?;
    if guest.allows(scope) { Ok(guest) } else { Err(Problem::new(ErrorCode::InsufficientScope)) }
}
