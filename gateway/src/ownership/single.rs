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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use tempfile::TempDir;
    use tidegate_core::id::Epoch;
    use tidegate_core::route::PartitionCount;

    use super::*;

    const FIRST: Ulid = Ulid(1);
    const SECOND: Ulid = Ulid(2);
    const THIRD: Ulid = Ulid(3);
    const P0: PartitionId = PartitionId(0);
    const P1: PartitionId = PartitionId(1);

    fn layout(partitions: u16) -> Layout {
        Layout { partitions: PartitionCount::new(partitions).unwrap(), hash_version: 1 }
    }

    /// What a crash leaves: the file, read again.
    fn start(data: &TempDir) -> SingleOwner {
        SingleOwner::open_or_create(data.path(), layout(2)).unwrap()
    }

    fn code(data: &TempDir, layout: Layout) -> &'static str {
        SingleOwner::open_or_create(data.path(), layout).err().unwrap().code()
    }

    fn replayed(claims: &[Claim]) -> Vec<Vec<Ulid>> {
        claims
            .iter()
            .map(|claim| claim.replay.iter().map(|link| link.incarnation).collect())
            .collect()
    }

    #[tokio::test]
    async fn each_start_has_an_epoch_of_its_own_and_replays_all_before() {
        let data = TempDir::new().unwrap();
        let claims = start(&data).claim(FIRST).await.unwrap();
        assert_eq!(replayed(&claims), [vec![], vec![]]);
        assert!(claims.iter().all(|claim| claim.epoch == Epoch(1)));

        let claims = start(&data).claim(SECOND).await.unwrap();
        assert_eq!(replayed(&claims), [[FIRST], [FIRST]]);

        let claims = start(&data).claim(THIRD).await.unwrap();
        assert_eq!(replayed(&claims), [[FIRST, SECOND], [FIRST, SECOND]]);
        assert_eq!(claims[1].partition, P1);
        assert!(claims.iter().all(|claim| claim.epoch == Epoch(3)));
    }

    #[tokio::test]
    async fn an_incarnation_is_never_reused() {
        let data = TempDir::new().unwrap();
        start(&data).claim(FIRST).await.unwrap();
        let error = start(&data).claim(FIRST).await.unwrap_err();
        assert_eq!(error.code(), "TG-0256");
    }

    #[tokio::test]
    async fn a_log_is_free_when_the_last_partition_has_flushed_past_it() {
        let data = TempDir::new().unwrap();
        start(&data).claim(FIRST).await.unwrap();
        let owner = start(&data);
        owner.claim(SECOND).await.unwrap();
        owner.adopted(P0, Lsn(11)).await.unwrap();
        owner.adopted(P1, Lsn(5)).await.unwrap();

        assert_eq!(owner.flushed(P0, Lsn(9)).await.unwrap(), []);
        assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), []);
        assert_eq!(owner.named().await, BTreeSet::from([FIRST, SECOND]));
        assert_eq!(owner.flushed(P1, Lsn(20)).await.unwrap(), [FIRST]);
        assert_eq!(owner.flushed(P1, Lsn(21)).await.unwrap(), []);

        let restarted = start(&data);
        assert_eq!(restarted.named().await, BTreeSet::from([SECOND]));
        let claims = restarted.claim(THIRD).await.unwrap();
        assert_eq!(replayed(&claims), [[SECOND], [SECOND]]);
    }

    #[tokio::test]
    async fn what_a_partition_dropped_may_come_back_with_a_crash() {
        let data = TempDir::new().unwrap();
        start(&data).claim(FIRST).await.unwrap();
        let owner = start(&data);
        owner.claim(SECOND).await.unwrap();
        owner.adopted(P0, Lsn(11)).await.unwrap();
        assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), []);

        let claims = start(&data).claim(THIRD).await.unwrap();
        assert_eq!(replayed(&claims), [[FIRST, SECOND], [FIRST, SECOND]]);
    }

    #[tokio::test]
    async fn a_log_is_not_free_while_the_file_cannot_say_so() {
        let data = TempDir::new().unwrap();
        start(&data).claim(FIRST).await.unwrap();
        let owner = start(&data);
        owner.claim(SECOND).await.unwrap();
        for partition in [P0, P1] {
            owner.adopted(partition, Lsn(11)).await.unwrap();
        }
        owner.flushed(P0, Lsn(10)).await.unwrap();

        let in_the_way = data.path().join("ownership.json.new");
        fs::create_dir(&in_the_way).unwrap();
        assert_eq!(owner.flushed(P1, Lsn(10)).await.unwrap_err().code(), "TG-0250");
        assert!(owner.named().await.contains(&FIRST));

        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(owner.flushed(P0, Lsn(10)).await.unwrap(), [FIRST]);
    }

    #[tokio::test]
    async fn a_claim_that_was_not_written_did_not_happen() {
        let data = TempDir::new().unwrap();
        let owner = start(&data);
        let in_the_way = data.path().join("ownership.json.new");
        fs::create_dir(&in_the_way).unwrap();
        assert_eq!(owner.claim(FIRST).await.unwrap_err().code(), "TG-0250");

        fs::remove_dir(&in_the_way).unwrap();
        let claims = owner.claim(FIRST).await.unwrap();
        assert!(claims.iter().all(|claim| claim.epoch == Epoch(1)));
    }

    #[test]
    fn another_layout_refuses_to_start() {
        let data = TempDir::new().unwrap();
        start(&data);
        assert_eq!(code(&data, layout(4)), "TG-0251");
        assert_eq!(code(&data, Layout { hash_version: 2, ..layout(2) }), "TG-0252");
        start(&data);
    }

    #[test]
    fn data_without_the_file_refuses_to_start() {
        for data_name in DATA {
            let data = TempDir::new().unwrap();
            fs::create_dir_all(data.path().join(data_name).join("any")).unwrap();
            assert_eq!(code(&data, layout(2)), "TG-0255");
        }
        let fresh = TempDir::new().unwrap();
        fs::create_dir(fresh.path().join("log")).unwrap();
        fs::write(fresh.path().join("log").join("lock"), "").unwrap();
        start(&fresh);
    }

    #[tokio::test]
    async fn a_partition_that_does_not_exist_is_refused() {
        let data = TempDir::new().unwrap();
        let owner = start(&data);
        owner.claim(FIRST).await.unwrap();
        let error = owner.flushed(PartitionId(2), Lsn(1)).await.unwrap_err();
        assert_eq!(error.code(), "TG-0257");
    }
}
