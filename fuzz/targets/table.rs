//! Partition tables: whatever a disk holds, reading it ends, and what was read lies on the disk.
#![no_main]

use host::disk::table::Table;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = Table::read(bytes) {
        for one in &table.partitions {
            assert!(one.start.checked_add(one.size).is_some(), "partition {} ends nowhere", one.number);
        }
    }
});
