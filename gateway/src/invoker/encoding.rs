//! Compressed answers. Requests allow gzip and deflate, as those of StateFun do, and some servers compress whatever they may.
//! What comes out is bounded like what comes in: a few bytes must not become all memory.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::fault::InvokeError;

/// What requests allow.
pub(super) const ACCEPTED: &str = "gzip, deflate";

/// How the body of an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// As it is.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 1950; many servers leave its frame out (RFC 1951), which is understood too.
    Deflate,
}

impl Encoding {
    /// The encoding that an answer names.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, InvokeError> {
        let Some(name) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Plain) };
        match name.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" | "x-deflate" => Ok(Self::Deflate),
            _ => Err(unusable("its content-encoding is neither gzip nor deflate")),
        }
    }

    /// The body as it was before it was encoded; at most `limit` bytes.
    pub(super) fn decode(self, body: Bytes, limit: usize) -> Result<Bytes, InvokeError> {
        let coded = &*body;
        match self {
            Self::Plain => Ok(body),
            // Nothing is nothing, however it is announced.
            Self::Gzip | Self::Deflate if coded.is_empty() => Ok(body),
            Self::Gzip => inflate(MultiGzDecoder::new(coded), limit),
            Self::Deflate if is_framed(coded) => inflate(ZlibDecoder::new(coded), limit),
            Self::Deflate => inflate(DeflateDecoder::new(coded), limit),
        }
    }
}

fn inflate(decoder: impl Read, limit: usize) -> Result<Bytes, InvokeError> {
    let mut plain = Vec::new();
    let one_more = (limit as u64).saturating_add(1);
    decoder
        .take(one_more)
        .read_to_end(&mut plain)
        .map_err(|_| unusable("it is not what its content-encoding says"))?;
    if plain.len() > limit {
        return Err(InvokeError::AnswerTooLarge { limit });
    }
    Ok(plain.into())
}

/// Whether the two bytes of a zlib header stand at the beginning: the method, and a check that is a multiple of 31.
fn is_framed(coded: &[u8]) -> bool {
    match coded {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
        }
        _ => false,
    }
}

fn unusable(cause: &str) -> InvokeError {
    InvokeError::InvalidAnswer { cause: cause.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn coded(plain: &[u8]) -> [(Encoding, Bytes); 3] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut framed = ZlibEncoder::new(Vec::new(), Compression::fast());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(plain).unwrap();
        framed.write_all(plain).unwrap();
        bare.write_all(plain).unwrap();
        [
            (Encoding::Gzip, gzip.finish().unwrap().into()),
            (Encoding::Deflate, framed.finish().unwrap().into()),
            (Encoding::Deflate, bare.finish().unwrap().into()),
        ]
    }

    proptest! {
        #[test]
        fn what_was_compressed_is_read(plain in prop::collection::vec(any::<u8>(), 0..4000)) {
            for (encoding, body) in coded(&plain) {
                prop_assert_eq!(&*encoding.decode(body, 4000).unwrap(), &*plain);
            }
        }

        #[test]
        fn no_bytes_stop_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for encoding in [Encoding::Gzip, Encoding::Deflate] {
                let plain = encoding.decode(bytes.clone().into(), 1000);
                prop_assert!(plain.is_err() || plain.is_ok_and(|plain| plain.len() <= 1000));
            }
        }
    }

    #[test]
    fn an_answer_is_bounded_as_it_comes_out() {
        for (encoding, bomb) in coded(&vec![0; 1 << 20]) {
            assert!(bomb.len() < 8 << 10, "{}", bomb.len());
            let limit = (1 << 20) - 1;
            assert_eq!(
                encoding.decode(bomb.clone(), limit),
                Err(InvokeError::AnswerTooLarge { limit })
            );
            assert_eq!(encoding.decode(bomb, 1 << 20).unwrap().len(), 1 << 20);
        }
    }
}
