//! Plain and odd messages, each fed whole, byte by byte and split at random.

mod framing;
mod heads;
mod odd;
mod pairing;
mod properties;
mod support;

use support::{c, expect, s};

const PING: &str =
    "BITS_POST /up HTTP/1.1\r\nHost: a\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";
const ACK: &str = "HTTP/1.1 200 OK\r\nBITS-Packet-Type: Ack\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_ping_and_its_ack() {
    expect(
        &[c(PING), s(ACK)],
        "> 0 begin
         > 0 head BITS_POST /up (length 0)
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete",
    );
}

#[test]
fn a_fragment_with_content() {
    expect(
        &[
            c("BITS_POST /up HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"),
            s(ACK),
            c(PING),
            s(ACK),
        ],
        "> 0 begin
         > 0 head BITS_POST /up (length 10)
         > 0 data 10
         > 0 end Complete
         < 0 begin
         < 0 head 200 (length 0)
         < 0 end Complete
         > 1 begin
         > 1 head BITS_POST /up (length 0)
         > 1 end Complete
         < 1 begin
         < 1 head 200 (length 0)
         < 1 end Complete",
    );
}
