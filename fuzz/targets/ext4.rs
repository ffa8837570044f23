//! ext4: no content makes a reader panic, hang, or take more memory than the disk has bytes.
#![no_main]

use host::disk::ext4::Ext4;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(ext4)) = Ext4::open(bytes) {
        let _ =
            (ext4.used(), ext4.list("/"), ext4.read("/etc/os-release"), ext4.exists("/usr/bin/cloud-init"));
    }
});
