//! Any bytes at all are a header that is read, or one that is refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = gguf::Header::read(&mut &bytes[..], bytes.len() as u64) {
        let mut extents: Vec<_> = header.tensors.iter().map(|tensor| (tensor.offset, tensor.bytes)).collect();
        extents.sort_unstable();
        assert!(extents.iter().all(|(offset, length)| offset + length <= bytes.len() as u64));
        assert!(extents.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
        assert!(header.split().is_none_or(|split| split.number < split.count));
        let _whatever =
            (header.parameter_count(), header.quantization(), gguf::Split::is_complete([&header]));
    }
});
