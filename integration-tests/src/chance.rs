//! Chance that can be repeated: a generator that says its seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable that repeats the choices of a run.
const SEED: &str = "TEST_SEED";

/// A generator of pseudo-random numbers (splitmix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Takes its seed from the environment, or from the clock, and prints it for the case that the test fails.
    #[must_use]
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok();
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.map_or_else(clock, |seed| seed.parse().unwrap());
        eprintln!("{SEED}={seed}");
        Self(seed)
    }

    /// A generator with a seed of its own, which somebody else has said.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, whose choices follow from this one's.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// A time between two.
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = (longest - shortest).as_micros() as u64;
        shortest + Duration::from_micros(self.below(span.max(1)))
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}
