//! The ownership file: its format, and writing it so that a crash leaves the old content or the new.
//!
//! JSON, so that an operator can read it; with a checksum of the content in its compact form, because a
//! flipped digit would go unnoticed otherwise. A change of the format raises [`FORMAT`].

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidegate_core::id::{Epoch, Lsn, PartitionId};
use tidegate_core::route::PartitionCount;
use ulid::Ulid;

use super::chain::{Chain, Link};
use super::{Layout, OwnershipError};

/// The version of the format.
const FORMAT: u32 = 1;

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Content {
    pub(super) layout: Layout,
    /// By partition.
    pub(super) chains: Vec<Chain>,
}

/// Read before the rest, which another format may lay out differently.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    format: u32,
    crc32c: u32,
    content: ContentForm,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentForm {
    hash_version: u32,
    /// One for each partition, in order.
    partitions: Vec<PartitionForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionForm {
    epoch: u64,
    chain: Vec<LinkForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkForm {
    incarnation: String,
    from: Option<u64>,
    through: Option<u64>,
}

impl Content {
    /// A deployment that nobody has owned yet.
    pub(super) fn new(layout: Layout) -> Self {
        let chains = layout.partitions.partitions().map(|_| Chain::default()).collect();
        Self { layout, chains }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let content = ContentForm {
            hash_version: self.layout.hash_version,
            partitions: self.chains.iter().map(partition_form).collect(),
        };
        let form = FileForm { format: FORMAT, crc32c: checksum(&content)?, content };
        let mut bytes = serde_json::to_vec_pretty(&form)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// `path` is named in errors only.
    pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Self, OwnershipError> {
        let damaged = |reason: String| OwnershipError::Damaged { path: text(path), reason };
        let malformed = |error: serde_json::Error| damaged(error.to_string());

        let Header { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format != FORMAT {
            let path = text(path);
            return Err(OwnershipError::Format { path, found: format, known: FORMAT });
        }
        let form: FileForm = serde_json::from_slice(bytes).map_err(malformed)?;
        if checksum(&form.content).map_err(malformed)? != form.crc32c {
            return Err(damaged("the checksum does not match".to_owned()));
        }
        content_of(&form.content).map_err(damaged)
    }
}

fn checksum(content: &ContentForm) -> Result<u32, serde_json::Error> {
    Ok(crc32c::crc32c(&serde_json::to_vec(content)?))
}

fn partition_form(chain: &Chain) -> PartitionForm {
    PartitionForm { epoch: chain.epoch().0, chain: chain.links().iter().map(link_form).collect() }
}

fn link_form(link: &Link) -> LinkForm {
    LinkForm {
        incarnation: link.incarnation.to_string(),
        from: link.from.map(|lsn| lsn.0),
        through: link.through.map(|lsn| lsn.0),
    }
}

fn content_of(form: &ContentForm) -> Result<Content, String> {
    let count = u16::try_from(form.partitions.len()).ok().and_then(PartitionCount::new);
    let partitions = count.ok_or_else(|| format!("{} partitions", form.partitions.len()))?;
    let chains = partitions
        .partitions()
        .zip(&form.partitions)
        .map(|(partition, form)| chain_of(partition, form))
        .collect::<Result<_, String>>()?;
    Ok(Content { layout: Layout { partitions, hash_version: form.hash_version }, chains })
}

fn chain_of(partition: PartitionId, form: &PartitionForm) -> Result<Chain, String> {
    let links = form.chain.iter().map(link_of).collect::<Result<_, String>>()?;
    Chain::restore(Epoch(form.epoch), links)
        .map_err(|error| format!("partition {partition}: {error}"))
}

fn link_of(form: &LinkForm) -> Result<Link, String> {
    let incarnation = Ulid::from_string(&form.incarnation)
        .map_err(|error| format!("incarnation `{}`: {error}", form.incarnation))?;
    Ok(Link { incarnation, from: form.from.map(Lsn), through: form.through.map(Lsn) })
}

/// Replaces a file: afterwards it has the new content for good; if this fails or the machine stops, it has the old
/// content or the new, whole in either case.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), OwnershipError> {
    let aside = path.with_extension("json.new");
    write_aside(&aside, bytes).map_err(|source| io_error("write", &aside, source))?;
    fs::rename(&aside, path).map_err(|source| io_error("replace", path, source))?;
    sync_directory_of(path)
}

fn write_aside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename is durable only with the directory that it happened in.
fn sync_directory_of(path: &Path) -> Result<(), OwnershipError> {
    let directory = path.parent().unwrap_or(path);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| io_error("sync", directory, source))
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> OwnershipError {
    OwnershipError::Io { action, path: text(path), source }
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use proptest::prelude::*;

    use super::*;

    fn content(epochs: &[u64], incarnations: &[u128]) -> Content {
        let partitions = PartitionCount::new(4).unwrap();
        let mut content = Content::new(Layout { partitions, hash_version: 1 });
        for (chain, epoch) in content.chains.iter_mut().zip(epochs) {
            *chain = Chain::restore(Epoch(*epoch), Vec::new()).unwrap();
            for (at, incarnation) in incarnations.iter().enumerate() {
                chain.claim(Ulid(*incarnation)).unwrap();
                if at % 2 == 0 {
                    chain.adopt(Lsn(at as u64 * 7 + epoch % 5)).unwrap();
                }
            }
        }
        content
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            epochs in proptest::collection::vec(0..u64::MAX - 10, 4),
            incarnations in proptest::collection::btree_set(any::<u128>(), 0..6),
        ) {
            let incarnations: Vec<u128> = incarnations.into_iter().collect();
            let content = content(&epochs, &incarnations);
            let bytes = content.encode().unwrap();
            prop_assert_eq!(Content::decode(&bytes, Path::new("o")).unwrap(), content);
        }

        #[test]
        fn no_flipped_bit_changes_what_is_read(at in any::<proptest::sample::Index>(), bit in 0..8u8) {
            let content = content(&[3, 1, 4, 1], &[5, 9]);
            let mut bytes = content.encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(read) = Content::decode(&bytes, Path::new("o")) {
                prop_assert_eq!(read, content);
            }
        }

        #[test]
        fn nothing_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Content::decode(&bytes, Path::new("o"));
        }
    }

    #[test]
    fn a_torn_file_is_damaged() {
        let bytes = content(&[1, 1, 1, 1], &[7]).encode().unwrap();
        let error = Content::decode(&bytes[..bytes.len() / 2], Path::new("o")).unwrap_err();
        assert_eq!(error.code(), "TG-0254");
    }

    #[test]
    fn a_newer_format_is_named_before_anything_else_is_read() {
        let error = Content::decode(br#"{"format": 2, "rest": {}}"#, Path::new("o")).unwrap_err();
        assert_eq!(error.code(), "TG-0253");
    }

    #[test]
    fn what_was_half_written_aside_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ownership.json");
        replace(&path, b"one").unwrap();
        fs::write(path.with_extension("json.new"), b"tw").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
    }
}
