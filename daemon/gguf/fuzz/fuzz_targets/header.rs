//! Any bytes at all are a header that is read, or one that is refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = gguf::Header::read(&mut &bytes[..], bytes.len() as u64) {
        assert!(header.tensors.iter().all(|tensor| tensor.offset + tensor.bytes <= bytes.len() as u64));
        let _whatever = (header.parameter_count(), header.quantization(), header.split());
    }
});
