//! Times since boot as times of day. Reads no clock: the offset comes with the header.

use jiff::{Timestamp, tz::TimeZone};

use truant_core::{ids::BootTime, input::Facts};

/// Turns times since boot into times of day, once the header has said when the node booted.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Nanoseconds since 1970 at boot time zero; 0 where that is not known.
    boot_epoch_ns: u64,
    zone: TimeZone,
}

impl Clock {
    /// A clock that shows people times in `zone`.
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { boot_epoch_ns: 0, zone }
    }

    /// Takes the node's boot time from `facts`.
    pub(crate) fn set(&mut self, facts: &Facts) {
        self.boot_epoch_ns = facts.boot_epoch_ns;
    }

    /// The moment `at`; none while the boot time is not known, or where no calendar has the moment.
    pub(crate) fn timestamp(&self, at: BootTime) -> Option<Timestamp> {
        (self.boot_epoch_ns != 0)
            .then(|| i128::from(self.boot_epoch_ns) + i128::from(at.0))
            .and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok())
    }

    /// The moment `at` as RFC 3339 has it, in UTC.
    pub(crate) fn rfc3339(&self, at: BootTime) -> Option<String> {
        self.timestamp(at).map(|time| time.to_string())
    }

    /// Like [`Self::short`], with the day before it where that is not the day of `now`.
    pub(crate) fn since(&self, at: BootTime, now: BootTime) -> String {
        let day = |at| Some(self.timestamp(at)?.to_zoned(self.zone.clone()).date());
        match day(at).filter(|date| day(now) != Some(*date)) {
            Some(date) => format!("{date} {}", self.short(at)),
            None => self.short(at),
        }
    }

    /// The time of day as `HH:MM:SS` in the clock's zone, else seconds since boot as `+12.345s`.
    pub(crate) fn short(&self, at: BootTime) -> String {
        match self.timestamp(at) {
            Some(time) => time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string(),
            None => format!("+{}.{:03}s", at.0 / 1_000_000_000, at.0 / 1_000_000 % 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_NS: u64 = 1_700_049_600_000_000_000;

    fn clock(boot_epoch_ns: u64) -> Clock {
        let mut clock = Clock::new(TimeZone::fixed(jiff::tz::offset(2)));
        clock.set(&Facts { boot_epoch_ns, ..Facts::default() });
        clock
    }

    #[test]
    fn a_known_boot_time_gives_the_time_of_day() {
        let at = BootTime(61_500_000_000);
        assert_eq!(clock(NOON_NS).short(at), "14:01:01");
        assert_eq!(clock(NOON_NS).rfc3339(at).unwrap(), "2023-11-15T12:01:01.5Z");
    }

    #[test]
    fn an_unknown_boot_time_gives_the_uptime() {
        assert_eq!(clock(0).short(BootTime(61_512_345_678)), "+61.512s");
        assert_eq!(clock(0).rfc3339(BootTime(1)), None);
    }

    #[test]
    fn another_day_is_named() {
        let (noon, day_after) = (BootTime(0), BootTime(86_400_000_000_000));
        assert_eq!(clock(NOON_NS).since(noon, BootTime(61_000_000_000)), "14:00:00");
        assert_eq!(clock(NOON_NS).since(noon, day_after), "2023-11-15 14:00:00");
        assert_eq!(clock(0).since(noon, day_after), "+0.000s");
    }

    #[test]
    fn no_time_is_too_late() {
        assert_eq!(clock(u64::MAX).short(BootTime(u64::MAX)).len(), 8);
    }
}
