//! What an upload does after trouble: wait and come back, start over, give up, or take the session back.

use std::time::Duration;

use tokio::time::Instant;

use super::Upload;
use crate::peer::client::link::Answer;
use crate::peer::client::{Progress, bits_post, chain};
use crate::peer::{Error, Result, field};

/// How often a session may be forgotten before that is an error.
const MAX_RESTARTS: u32 = 10;
/// How long a Cancel-Session may take before we leave it to the server's session timeout.
const CANCEL_LIMIT: Duration = Duration::from_secs(10);

impl Upload<'_> {
    /// Waits before the next attempt, or gives up.
    pub(super) async fn wait(&mut self, error: Error) -> Result<()> {
        self.link = None;
        self.ping = true;
        self.pacer.trouble();
        self.fall_back(&error);
        let delay = self.config.retry_delay;
        if self.moved.elapsed() + delay > self.config.no_progress_timeout
            || self.config.no_progress_timeout.is_zero()
        {
            return Err(Error::NoProgress {
                url: self.home.to_string(),
                source: Some(Box::new(error)),
            });
        }
        self.sent.retries += 1;
        (self.progress)(Progress::Waiting {
            delay,
            why: chain(&error),
        });
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            // The next attempt notices.
            () = self.config.cancel.cancelled() => {}
        }
        Ok(())
    }

    /// Returns to the original host when the named one is out of reach for too long. MC-BUP §3.1.6.3
    pub(super) fn fall_back(&mut self, error: &Error) {
        if self.url == self.home || !matches!(error, Error::Connect { .. }) {
            return;
        }
        let since = *self.unreachable.get_or_insert_with(Instant::now);
        // Without a timeout the client never goes back. Win32 "Ack for Create-Session"
        if self.fallback.is_some_and(|limit| since.elapsed() >= limit) {
            self.url = self.home.clone();
            self.unreachable = None;
        }
    }

    /// Starts over with a new session. MC-BUP §3.1.5.2.1
    pub(super) fn restart(&mut self, error: &Error) -> Result<()> {
        if self.sent.restarts >= MAX_RESTARTS {
            return Err(Error::SessionLost {
                url: self.url.to_string(),
                times: self.sent.restarts + 1,
            });
        }
        self.sent.restarts += 1;
        self.session = None;
        (self.offset, self.best, self.reached, self.rewinds) = (0, 0, 0, 0);
        self.reply_url = None;
        self.close_sent = false;
        (self.progress)(Progress::Restarted { why: chain(error) });
        Ok(())
    }

    /// Tells the server to forget the session; once, since nobody waits for it.
    pub(super) async fn cancel(&mut self) {
        if self.session.is_none() {
            return;
        }
        let fields = self.fields("Cancel-Session");
        let packet = async {
            self.reach().await?;
            let Some(link) = &mut self.link else {
                return Err(Error::Cancelled);
            };
            let target = (bits_post(), &self.url);
            self.caller
                .call(link, "Cancel-Session", target, &fields)
                .await
        };
        let answer = tokio::time::timeout(CANCEL_LIMIT, packet).await;
        let acknowledged = matches!(answer, Ok(Ok(Answer { status: 200, .. })));
        (self.progress)(Progress::Cancelled { acknowledged });
    }
}

/// Tells whether the server does not know the session.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::Refused {
            code: Some(field::SESSION_NOT_FOUND),
            ..
        }
    )
}
