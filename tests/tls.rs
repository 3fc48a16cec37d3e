//! TLS on both sides of the relay: certificates for whoever asks, what is said when a handshake fails, ends
//! of connections, faults, secrets.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/relay_tcp.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod relay_tcp;
#[path = "support/tls.rs"]
mod support;

#[path = "tls/client.rs"]
mod client;
#[path = "tls/failures.rs"]
mod failures;
#[path = "tls/faults.rs"]
mod faults;
#[path = "tls/program.rs"]
mod program;
#[path = "tls/upstream.rs"]
mod upstream;
