//! Which partition an address belongs to. The hash is part of the durable format: it is never changed, only
//! superseded by a new version that old deployments do not use.

use xxhash_rust::xxh3::xxh3_64;

use crate::address::Address;
use crate::id::PartitionId;

/// The version of the hash below, persisted with the partition count; another one refuses to start.
pub const HASH_VERSION: u32 = 1;

/// Key groups are the granularity at which a partition's rows could be split.
pub const KEY_GROUPS: u16 = 4096;

/// The number of partitions of a deployment: a power of two of at most [`KEY_GROUPS`], fixed for its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionCount(u16);

impl PartitionCount {
    /// Nothing unless `count` is a power of two between 1 and [`KEY_GROUPS`].
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        if count.is_power_of_two() && count <= KEY_GROUPS { Some(Self(count)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// All partitions in order.
    pub fn partitions(self) -> impl Iterator<Item = PartitionId> {
        (0..self.0).map(PartitionId)
    }

    /// The partition of an address: of its id alone, so that all function types with one id live together.
    /// A reply address names its partition itself; one that was made up belongs where its id hashes to.
    #[must_use]
    pub fn partition_of(self, address: &Address) -> PartitionId {
        if address.is_reply()
            && let Some((home, _)) = address.request()
            && home.0 < self.0
        {
            return home;
        }
        PartitionId(key_group(&address.id) / (KEY_GROUPS / self.0))
    }
}

/// The key group of an id: the upper bits of its XXH3 64-bit hash with seed 0. Each partition owns a
/// contiguous range of key groups, so that doubling the count splits each one in two.
#[must_use]
pub fn key_group(id: &str) -> u16 {
    let bits = KEY_GROUPS.trailing_zeros();
    u16::try_from(xxh3_64(id.as_bytes()) >> (64 - bits)).unwrap_or(0)
}
