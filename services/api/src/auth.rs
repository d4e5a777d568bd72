//! Who may call the API.
//!
//! A token is known only by its SHA-256: it has enough entropy of its own that a slow hash would add nothing. Comparison
//! takes the same time wherever two hashes differ.

use std::future::{Ready, ready};

use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, dev, web};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tocsin_service::config::document::Scope;
use tocsin_service::config::{ConfigError, Document, Environment, Reloading};
use tocsin_service::http::Problem;
use tocsin_shared::ErrorCode;

use crate::caller::Caller;

/// The known tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens(Vec<Token>);

#[derive(Debug, Clone)]
struct Token {
    name: String,
    sha256: [u8; 32],
    scopes: Vec<Scope>,
}

impl Tokens {
    /// Reads the hashes of the file's tokens.
    pub(crate) fn from_document(document: &Document, env: &Environment) -> Result<Self, ConfigError> {
        let mut tokens = Vec::new();
        let mut problems = Vec::new();
        for (index, section) in document.api.tokens.iter().enumerate() {
            match section.sha256(index).sha256(env) {
                Ok(sha256) => {
                    tokens.push(Token { name: section.name.clone(), sha256, scopes: section.scopes.clone() });
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(tokens)) } else { Err(ConfigError { problems }) }
    }

    /// One new token that may read and respond, printed for whoever started the process without a configuration.
    #[allow(clippy::print_stderr, reason = "the operator must see it, the logs must not")]
    pub(crate) fn demo() -> Self {
        let token = hex::encode(rand::random::<[u8; 24]>());
        eprintln!("no TOCSIN_CONFIG is set; this run's API token is {token}");
        let (name, sha256) = ("demo".to_owned(), Sha256::digest(&token).into());
        Self(vec![Token { name, sha256, scopes: vec![Scope::Read, Scope::Respond] }])
    }

    fn find(&self, token: &str) -> Option<&Token> {
        let sha256: [u8; 32] = Sha256::digest(token).into();
        self.0.iter().find(|known| bool::from(known.sha256.ct_eq(&sha256)))
    }
}

/// A caller that may read. Take it as a handler's argument and the handler runs for nobody else.
#[derive(Debug)]
pub(crate) struct Reader(());

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Read).map(|_name| Self(())))
    }
}

/// A caller that may act on incidents.
#[derive(Debug)]
pub(crate) struct Responder(pub(crate) Caller);

impl FromRequest for Responder {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Respond).and_then(|token| Caller::of(request, &token)).map(Self))
    }
}

/// A caller that may do everything.
#[derive(Debug)]
pub(crate) struct Admin(pub(crate) Caller);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(authorise(request, Scope::Admin).and_then(|token| Caller::of(request, &token)).map(Self))
    }
}

/// The name of the caller's token, if it has the scope.
fn authorise(request: &HttpRequest, scope: Scope) -> Result<String, Problem> {
    let Some(tokens) = request.app_data::<web::Data<Reloading<Tokens>>>() else {
        return Err(Problem::new(ErrorCode::Internal));
    };
    let Some(header) = request.headers().get(AUTHORIZATION) else {
        return Err(Problem::new(ErrorCode::MissingToken).detail("send Authorization: Bearer <token>"));
    };
    let bearer = header.to_str().ok().and_then(|text| text.split_once(' '));
    let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Err(Problem::new(ErrorCode::InvalidToken).detail("send Authorization: Bearer <token>"));
    };
    let tokens = tokens.current();
    let token = tokens.find(token.trim()).ok_or(Problem::new(ErrorCode::InvalidToken))?;
    if token.scopes.contains(&scope) || token.scopes.contains(&Scope::Admin) {
        Ok(token.name.clone())
    } else {
        Err(Problem::new(ErrorCode::InsufficientScope))
    }
}
