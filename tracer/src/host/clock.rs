//! The time since boot, and how it maps to the wall clock.
//!
//! Owns two system calls. A time namespace shifts the first; the kernel's own times are not.

use rustix::time::{ClockId, Timespec, clock_gettime};
use truant_core::ids::BootTime;

/// `CLOCK_BOOTTIME`, which goes on in suspend.
pub(crate) fn now() -> BootTime {
    BootTime(nanoseconds(clock_gettime(ClockId::Boottime)))
}

/// The wall clock at boot time zero, in nanoseconds since 1970. It changes when somebody sets the
/// clock.
pub(crate) fn boot_epoch_ns() -> u64 {
    let before = now().0;
    let wall = nanoseconds(clock_gettime(ClockId::Realtime));
    let between = before.midpoint(now().0);
    wall.saturating_sub(between)
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn boot_time_and_epoch_add_up_to_the_wall_clock() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let sum = u128::from(boot_epoch_ns()) + u128::from(now().0);
        assert!(sum.abs_diff(wall) < 1_000_000_000, "{sum} is not {wall}");
    }

    #[test]
    fn a_time_before_the_epoch_is_zero() {
        assert_eq!(nanoseconds(Timespec { tv_sec: -1, tv_nsec: 0 }), 0);
        assert_eq!(nanoseconds(Timespec { tv_sec: 2, tv_nsec: 3 }), 2_000_000_003);
    }
}
