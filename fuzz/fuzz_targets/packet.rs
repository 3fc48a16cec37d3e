//! Any bytes as a head: reading it as a packet or as an Ack never stops.

#![no_main]

use bitstap::bits::packet::{read_ack, read_request};
use bitstap::wire::{Decoder, Item, Stream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for stream in [Stream::Requests, Stream::Responses] {
        let mut items = Vec::new();
        let mut decoder = Decoder::new(stream);
        decoder.feed(input, &mut items);
        decoder.finish(&mut items);
        for item in items {
            if let Item::Head { head, .. } = item {
                let _ = read_request(&head);
                let _ = read_ack(&head);
            }
        }
    }
});
