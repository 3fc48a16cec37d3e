//! One packet and its Ack: the fields that it has, the connection that it goes on, and what an Ack must say.

use http::header::HeaderName;

use super::Upload;
use crate::peer::client::bits_post;
use crate::peer::client::link::Answer;
use crate::peer::{Error, Result, field};

impl Upload<'_> {
    /// Sends a packet without content and checks its Ack.
    pub(super) async fn call(
        &mut self,
        packet: &'static str,
        extra: &[(HeaderName, String)],
    ) -> Result<Answer> {
        let mut fields = self.fields(packet);
        fields.extend_from_slice(extra);
        loop {
            self.check_cancel()?;
            self.reach().await?;
            let Some(link) = &mut self.link else { continue };
            let target = (bits_post(), &self.url);
            let answer = self.caller.call(link, packet, target, &fields).await?;
            if self.caller.is_challenged(&answer) {
                continue;
            }
            if !matches!(answer.status, 200 | 201) {
                return Err(answer.refusal(packet, &self.url));
            }
            self.examine(packet, &answer)?;
            return Ok(answer);
        }
    }

    /// Returns the BITS fields of a packet in the order of Windows. observed: MC-BUP §4.1
    pub(super) fn fields(&self, packet: &str) -> Vec<(HeaderName, String)> {
        let mut fields = vec![(field::PACKET_TYPE, packet.to_owned())];
        // A Ping has no session id. MC-BUP §2.2.4.2
        if let Some(id) = self.session.as_ref().filter(|_| packet != "Ping") {
            fields.push((field::SESSION_ID, id.clone()));
        }
        if packet == "Fragment"
            && let Some(name) = self.content_name()
        {
            fields.push((field::CONTENT_NAME, name));
        }
        fields
    }

    /// Returns the file's name where it may stand in a Content-Name. MC-BUP §2.2.1.1
    pub(super) fn content_name(&self) -> Option<String> {
        let name = self.config.file.file_name()?.to_str()?;
        let legal = name.chars().count() <= 260
            && !name.contains(|c: char| c.is_control() || "\\/:*?\"<>|".contains(c));
        legal.then(|| name.to_owned())
    }

    /// Makes sure of a connection on which the next request can go out.
    pub(super) async fn reach(&mut self) -> Result<()> {
        if let Some(link) = &mut self.link
            && link.is_ready().await
        {
            return Ok(());
        }
        self.link = Some(self.caller.connect(&self.url).await?);
        self.sent.connections += 1;
        Ok(())
    }

    pub(super) fn check_cancel(&self) -> Result<()> {
        if self.config.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// Judges what every Ack has. MC-BUP §2.2.1.2
    pub(super) fn examine(&mut self, packet: &'static str, answer: &Answer) -> Result<()> {
        if !answer.is_ack() {
            let bits = answer
                .fields
                .keys()
                .any(|name| name.as_str().starts_with("bits-"));
            if !bits && packet != "Ping" && packet != "Close-Session" {
                return Err(self.invalid(packet, "it has no BITS field"));
            }
            self.warn("an answer has no BITS-Packet-Type: Ack");
        }
        let echo = field::text(&answer.fields, &field::SESSION_ID);
        if let (Some(echo), Some(id)) = (echo, &self.session)
            && !echo.eq_ignore_ascii_case(id)
        {
            self.warn("an Ack has the BITS-Session-Id of another session");
        }
        Ok(())
    }

    pub(super) fn warn(&mut self, text: &str) {
        if !self.sent.warnings.iter().any(|known| known == text) {
            self.sent.warnings.push(text.to_owned());
        }
    }

    pub(super) fn invalid(&self, packet: &'static str, reason: &str) -> Error {
        Error::Invalid {
            packet,
            url: self.url.to_string(),
            reason: reason.to_owned(),
        }
    }
}
