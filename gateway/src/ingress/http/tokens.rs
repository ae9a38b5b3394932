//! Bearer tokens: who is let in at a listener.
//!
//! Several count at once, so that one can be replaced while both are in use, and they can be read anew while the listener
//! serves. They are kept and compared as hashes: the comparison takes the same time for every input, and always with all of
//! them, so that neither a token nor its length nor its place leaks.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::problem::Problem;
use crate::config::{Token, TokenError, TokenSource};

/// The tokens that a listener takes.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    hashes: RwLock<Arc<[blake3::Hash]>>,
}

impl Tokens {
    /// The tokens of a source; nothing if everybody is to be let in.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn read(source: TokenSource) -> Result<Option<Arc<Self>>, TokenError> {
        if !source.is_required() {
            return Ok(None);
        }
        let hashes = RwLock::new(hashes(&source)?);
        Ok(Some(Arc::new(Self { source, hashes })))
    }

    /// Reads the source again. If it cannot be read, the tokens that were there go on to count.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn reload(&self) -> Result<(), TokenError> {
        let hashes = hashes(&self.source)?;
        *self.hashes.write().unwrap_or_else(PoisonError::into_inner) = hashes;
        Ok(())
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(given) = headers.get(AUTHORIZATION) else { return false };
        let Some((scheme, token)) = given.as_bytes().split_at_checked("Bearer ".len()) else {
            return false;
        };
        let given = blake3::hash(token);
        let hashes = Arc::clone(&self.hashes.read().unwrap_or_else(PoisonError::into_inner));
        let known = hashes.iter().fold(false, |known, hash| known | (*hash == given));
        known & scheme.eq_ignore_ascii_case(b"Bearer ")
    }
}

fn hashes(source: &TokenSource) -> Result<Arc<[blake3::Hash]>, TokenError> {
    let hash = |token: &Token| blake3::hash(token.expose().as_bytes());
    Ok(source.read()?.iter().map(hash).collect())
}

/// Lets only those into a service who bring a token, if there are any; some paths stay open to all.
pub fn guarded(
    router: Router,
    tokens: Option<Arc<Tokens>>,
    open: &'static [&'static str],
) -> Router {
    match tokens {
        Some(tokens) => router.layer(middleware::from_fn_with_state((tokens, open), authorise)),
        None => router,
    }
}

type Guard = (Arc<Tokens>, &'static [&'static str]);

async fn authorise(State((tokens, open)): State<Guard>, request: Request, next: Next) -> Response {
    if open.contains(&request.uri().path()) || tokens.admits(request.headers()) {
        next.run(request).await
    } else {
        Problem::Unauthorised.into_response()
    }
}
