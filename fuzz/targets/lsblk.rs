//! What lsblk and the kernel say: an inventory or an error, and the guard never clears what shows a mount.
#![no_main]

use host::disk::guard::{Protected, Request, clear};
use host::disk::inventory::{Inventory, Seen};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // One text or several, split at a byte that JSON does not have.
    let mut texts = bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    let mut next = || texts.next().unwrap_or_default();
    let seen = Seen { lsblk: next(), mountinfo: next(), swaps: next(), ..Seen::default() };
    let Ok(inventory) = Inventory::of(&seen) else { return };
    for device in &inventory.devices {
        let request = Request {
            device: device.path.clone(),
            allow_fixed: true,
            allow_large: true,
            ..Request::default()
        };
        if let Ok(cleared) = clear(&inventory, &Protected::default(), &request) {
            assert!(cleared.device().tree().all(|one| one.mount_points.is_empty() && !one.is_swap));
        }
    }
});
