//! Tokens: what a client brings to be let in. They are kept in files, and never shown.

use std::fmt;
use std::io;
use std::path::Path;

/// A token. Its text is not shown, not even for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A file has no token in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A header could not carry what is in it.
    #[error("the file must hold one token of visible ASCII characters")]
    NotAToken,
}

impl Token {
    /// Reads the token that is all there is in a file; space around it does not count.
    pub fn of_file(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(path)?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotAToken);
        }
        Ok(Self(token.to_owned()))
    }

    /// The text, for the header that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(hidden)")
    }
}
