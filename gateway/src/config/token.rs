//! Tokens: what a client brings to be let in. They come from files and from the environment, and are never shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

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
    /// Nobody could be let in, or a line is no token.
    #[error(
        "there must be at least one token, each in a line of its own, of visible ASCII characters"
    )]
    NotTokens,
}

impl Token {
    /// Reads the token that is all there is in a file; space around it does not count.
    pub fn of_file(path: &Path) -> Result<Self, TokenError> {
        Self::of_text(&std::fs::read_to_string(path)?)
    }

    /// Takes a text for the token that it is; space around it does not count.
    pub fn of_text(text: &str) -> Result<Self, TokenError> {
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotAToken);
        }
        Ok(Self(token.to_owned()))
    }

    /// Takes each word of a text for a token. There is at least one.
    fn all_of(text: &str) -> Result<Vec<Self>, TokenError> {
        let tokens: Result<Vec<_>, _> = text.split_whitespace().map(Self::of_text).collect();
        tokens.ok().filter(|tokens| !tokens.is_empty()).ok_or(TokenError::NotTokens)
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

/// Where the tokens of a listener come from. Several count at once, so that one can be replaced while both are in use.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TokenSource {
    /// A file with a token in each line, which may change while the node runs.
    pub file: Option<PathBuf>,
    /// Tokens that stay as they are.
    pub fixed: Vec<Token>,
}

impl TokenSource {
    /// From a file, and from the text of an environment variable with space between tokens.
    pub fn new(file: Option<PathBuf>, variable: Option<&str>) -> Result<Self, TokenError> {
        Ok(Self { file, fixed: variable.map(Token::all_of).transpose()?.unwrap_or_default() })
    }

    /// Whether clients must bring a token at all.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.file.is_some() || !self.fixed.is_empty()
    }

    /// Every token that counts now.
    ///
    /// # Errors
    /// The file cannot be read, or has no tokens in it.
    pub fn read(&self) -> Result<Vec<Token>, TokenError> {
        let mut tokens = self.fixed.clone();
        if let Some(path) = &self.file {
            tokens.extend(Token::all_of(&std::fs::read_to_string(path)?)?);
        }
        Ok(tokens)
    }
}
