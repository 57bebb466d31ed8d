//! How fast requests are sent.

use std::time::{Duration, Instant};

use sandgate_config::model::RateLimit;

/// A bucket of tokens, one for each request.
#[derive(Debug)]
pub(super) struct TokenBucket {
    max: f64,
    /// In a second.
    fill_rate: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        let max = f64::from(limit.max_tokens);
        Self { max, fill_rate: limit.fill_rate, tokens: max, at: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; that long later there will be one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.fill_rate).min(self.max);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let seconds = (1.0 - self.tokens) / self.fill_rate;
        // In whole milliseconds, as Envoy's timer; a bucket that holds nothing is looked at again all the same.
        Err(Duration::try_from_secs_f64((seconds * 1000.0).ceil() / 1000.0).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut bucket = TokenBucket::new(RateLimit { max_tokens: 2, fill_rate: 4.0 }, start);
        assert_eq!([bucket.take(start), bucket.take(start)], [Ok(()), Ok(())]);
        assert_eq!(bucket.take(start), Err(Duration::from_millis(250)));
        assert_eq!(bucket.take(at(100)), Err(Duration::from_millis(150)));
        assert_eq!(bucket.take(at(250)), Ok(()));
        // No more than it holds.
        assert_eq!([bucket.take(at(9000)), bucket.take(at(9000))], [Ok(()), Ok(())]);
        assert!(bucket.take(at(9000)).is_err());
    }

    #[test]
    fn a_bucket_without_room_never_has_a_token() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(RateLimit { max_tokens: 0, fill_rate: 10.0 }, start);
        assert_eq!(bucket.take(start + Duration::from_secs(100)), Err(Duration::from_millis(100)));
    }
}
