//! Ownership of a node that is alone: a file in its data directory.
//!
//! The lock of the data directory keeps other processes away; whoever opens this holds it. The file exists before the
//! first log and the first database do, so data without it means that it was lost, and nothing starts: beginning
//! again with the first epoch would forget the logs that must be replayed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tidegate_core::id::{Lsn, PartitionId};
use ulid::Ulid;

use super::chain::Chain;
use super::file::{Content, io_error, replace, text};
use super::{Claim, Layout, Ownership, OwnershipError};

/// Its name in the data directory.
pub const FILE_NAME: &str = "ownership.json";
/// What else lies in the data directory once a node has run.
const DATA: [&str; 2] = ["log", "state"];

/// The ownership file of a data directory.
pub struct SingleOwner {
    // Locked in blocking tasks only, for as long as a write takes: a caller that goes away leaves no write behind that
    // another one could overtake.
    file: Arc<Mutex<OwnershipFile>>,
}

struct OwnershipFile {
    path: PathBuf,
    content: Content,
    /// The incarnations that the file names. It may name more than `content` does, never fewer.
    named_in_file: BTreeSet<Ulid>,
}

impl SingleOwner {
    /// Reads the ownership file of a data directory, or creates it for a directory without data. Blocks for a moment.
    pub fn open_or_create(data: &Path, layout: Layout) -> Result<Self, OwnershipError> {
        let file = OwnershipFile::open_or_create(data.join(FILE_NAME), data, layout)?;
        Ok(Self { file: Arc::new(Mutex::new(file)) })
    }

    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut OwnershipFile) -> T + Send + 'static,
    ) -> T {
        let file = Arc::clone(&self.file);
        let work = move || work(&mut file.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down before the task began, and will not poll this again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[async_trait]
impl Ownership for SingleOwner {
    async fn claim(&self, incarnation: Ulid) -> Result<Vec<Claim>, OwnershipError> {
        self.with_file(move |file| file.claim(incarnation)).await
    }

    async fn adopted(&self, partition: PartitionId, first: Lsn) -> Result<(), OwnershipError> {
        self.with_file(move |file| file.adopted(partition, first)).await
    }

    async fn flushed(
        &self,
        partition: PartitionId,
        applied: Lsn,
    ) -> Result<Vec<Ulid>, OwnershipError> {
        self.with_file(move |file| file.flushed(partition, applied)).await
    }

    async fn released(&self, flushed: Vec<(PartitionId, Lsn)>) -> Result<(), OwnershipError> {
        self.with_file(move |file| file.released(&flushed)).await
    }

    async fn named(&self) -> BTreeSet<Ulid> {
        self.with_file(|file| file.named_in_file.clone()).await
    }
}

impl OwnershipFile {
    fn open_or_create(path: PathBuf, data: &Path, layout: Layout) -> Result<Self, OwnershipError> {
        let content = match fs::read(&path) {
            Ok(bytes) => check_layout(Content::decode(&bytes, &path)?, layout)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(data, &path, layout)?,
            Err(error) => return Err(io_error("read", &path, error)),
        };
        let named_in_file = named(&content.chains);
        Ok(Self { path, content, named_in_file })
    }

    fn claim(&mut self, incarnation: Ulid) -> Result<Vec<Claim>, OwnershipError> {
        let mut content = self.content.clone();
        let claims = claim_all(&mut content.chains, incarnation)?;
        write(&self.path, &content)?;
        self.named_in_file = named(&content.chains);
        self.content = content;
        Ok(claims)
    }

    fn adopted(&mut self, partition: PartitionId, first: Lsn) -> Result<(), OwnershipError> {
        chain_of(&mut self.content.chains, partition)?
            .adopt(first)
            .map_err(|source| OwnershipError::Chain { partition, source })
    }

    fn flushed(
        &mut self,
        partition: PartitionId,
        applied: Lsn,
    ) -> Result<Vec<Ulid>, OwnershipError> {
        chain_of(&mut self.content.chains, partition)?.flush(applied);
        let named = named(&self.content.chains);
        let free: Vec<Ulid> = self.named_in_file.difference(&named).copied().collect();
        if !free.is_empty() {
            write(&self.path, &self.content)?;
            self.named_in_file = named;
        }
        Ok(free)
    }

    fn released(&mut self, flushed: &[(PartitionId, Lsn)]) -> Result<(), OwnershipError> {
        for (partition, last) in flushed {
            chain_of(&mut self.content.chains, *partition)?.release(*last);
        }
        write(&self.path, &self.content)?;
        self.named_in_file = named(&self.content.chains);
        Ok(())
    }
}

fn write(path: &Path, content: &Content) -> Result<(), OwnershipError> {
    let bytes = content.encode();
    replace(path, &bytes.map_err(|error| io_error("encode", path, io::Error::other(error)))?)
}

fn check_layout(content: Content, configured: Layout) -> Result<Content, OwnershipError> {
    let found = content.layout;
    if found.partitions != configured.partitions {
        return Err(OwnershipError::PartitionCount {
            found: found.partitions.get(),
            configured: configured.partitions.get(),
        });
    }
    if found.hash_version != configured.hash_version {
        return Err(OwnershipError::HashVersion {
            found: found.hash_version,
            ours: configured.hash_version,
        });
    }
    Ok(content)
}

fn create(data: &Path, path: &Path, layout: Layout) -> Result<Content, OwnershipError> {
    for name in DATA {
        let directory = data.join(name);
        if holds_directories(&directory).map_err(|error| io_error("read", &directory, error))? {
            return Err(OwnershipError::Missing { path: text(path), found: text(&directory) });
        }
    }
    let content = Content::new(layout);
    write(path, &content)?;
    Ok(content)
}

/// Whether there is a log or a database in it; a lock file or an empty directory is no data.
fn holds_directories(directory: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    for entry in entries {
        if entry?.file_type()?.is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn claim_all(chains: &mut [Chain], incarnation: Ulid) -> Result<Vec<Claim>, OwnershipError> {
    let claim = |(number, chain): (u16, &mut Chain)| {
        let partition = PartitionId(number);
        let replay = chain.claim(incarnation);
        let replay = replay.map_err(|source| OwnershipError::Chain { partition, source })?;
        Ok(Claim { partition, epoch: chain.epoch(), replay })
    };
    (0..).zip(chains).map(claim).collect()
}

fn chain_of(chains: &mut [Chain], partition: PartitionId) -> Result<&mut Chain, OwnershipError> {
    let chain = chains.get_mut(usize::from(partition.0));
    chain.ok_or(OwnershipError::NoSuchPartition(partition))
}

fn named(chains: &[Chain]) -> BTreeSet<Ulid> {
    chains.iter().flat_map(Chain::links).map(|link| link.incarnation).collect()
}

#[cfg(test)]
mod tests;
