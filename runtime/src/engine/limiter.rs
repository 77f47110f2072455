//! Counts what the instances of one store use, and refuses growth beyond the limits.

use wasmtime::{Error, ResourceLimiter, Result};

use crate::limits::Limits;

/// A growth that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Bytes of linear memory, all together.
    Memory { used: u64, wanted: u64, limit: u64 },
    /// Elements of tables, all together.
    Table { used: u64, wanted: u64, limit: u64 },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Memory {
                used,
                wanted,
                limit,
            } => write!(
                f,
                "memory limit of {} reached: {} in use, {} more wanted",
                bytes(*limit),
                bytes(*used),
                bytes(wanted.saturating_sub(*used))
            ),
            Refused::Table {
                used,
                wanted,
                limit,
            } => write!(
                f,
                "limit of {limit} table elements reached: {used} in use, {} more wanted",
                wanted.saturating_sub(*used)
            ),
        }
    }
}

fn bytes(n: u64) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// The use of one kind, against its limit.
#[derive(Debug)]
struct Account {
    used: u64,
    limit: u64,
    /// The last growth allowed, to be taken back if it then fails.
    allowed: u64,
}

impl Account {
    fn new(limit: u64) -> Account {
        Account {
            used: 0,
            limit,
            allowed: 0,
        }
    }

    /// `Err` with what would be in use.
    fn grow(&mut self, current: usize, desired: usize) -> std::result::Result<(), u64> {
        let more = desired.saturating_sub(current) as u64;
        let wanted = self.used.saturating_add(more);
        if wanted > self.limit {
            return Err(wanted);
        }
        (self.used, self.allowed) = (wanted, more);
        Ok(())
    }

    fn failed(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.allowed));
    }
}

/// The limiter of one store.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: Account,
    tables: Account,
    instances: usize,
    /// The last growth refused since [`Limiter::forget`].
    pub(super) refused: Option<Refused>,
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Limiter {
        Limiter {
            memory: Account::new(limits.memory_bytes),
            tables: Account::new(limits.table_elements),
            instances: limits.instances as usize,
            refused: None,
        }
    }

    /// Forgets the refused growth: a new item starts, which is not to blame for it.
    pub(super) fn forget(&mut self) {
        self.refused = None;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(match self.memory.grow(current, desired) {
            Ok(()) => true,
            Err(wanted) => {
                self.refused = Some(Refused::Memory {
                    used: self.memory.used,
                    wanted,
                    limit: self.memory.limit,
                });
                false
            }
        })
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<()> {
        self.memory.failed();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(match self.tables.grow(current, desired) {
            Ok(()) => true,
            Err(wanted) => {
                self.refused = Some(Refused::Table {
                    used: self.tables.used,
                    wanted,
                    limit: self.tables.limit,
                });
                false
            }
        })
    }

    fn table_grow_failed(&mut self, _: Error) -> Result<()> {
        self.tables.failed();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_count_together_and_failures_are_taken_back() {
        let mut limiter = Limiter::new(&Limits::new().memory(100 << 16));
        assert!(limiter.memory_growing(0, 60 << 16, None).unwrap());
        assert!(!limiter.memory_growing(0, 41 << 16, None).unwrap());
        assert_eq!(
            limiter.refused.unwrap().to_string(),
            "memory limit of 6400 KiB reached: 3840 KiB in use, 2624 KiB more wanted"
        );
        assert!(limiter.memory_growing(0, 40 << 16, None).unwrap());
        limiter.memory_grow_failed(Error::msg("no memory")).unwrap();
        assert!(limiter.memory_growing(60 << 16, 100 << 16, None).unwrap());
        assert!(!limiter.memory_growing(100 << 16, 101 << 16, None).unwrap());
        limiter.forget();
        assert_eq!(limiter.refused, None);
    }
}
