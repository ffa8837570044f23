//! tar: sorted, owner 0, fixed time on the way out; files and folders and nothing else on the way in.
//!
//! Out (feature `net`): entries in any order → ustar headers sorted by path, implied folders first, PAX records only
//! for paths and links that ustar cannot hold. In: [`read`] walks a stream once and refuses, by name, every entry
//! that could leave the folder it is unpacked into or surprise whoever unpacks it.

#[cfg(feature = "net")]
mod entry;
mod read;
#[cfg(feature = "net")]
mod write;

#[cfg(feature = "net")]
pub use entry::{Entry, Source};
pub use read::{Kind, Limits, Member, read};
#[cfg(feature = "net")]
pub use write::write;

/// Why `path` may not name an entry; none when it may. Paths are relative and written without a trailing slash.
fn path_fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("its path is empty");
    }
    if path.starts_with('/') {
        return Some("its path is absolute");
    }
    if path.len() > 4095 {
        return Some("its path is longer than 4095 bytes");
    }
    if path.chars().any(char::is_control) {
        return Some("its path holds a control character");
    }
    for part in path.split('/') {
        match part {
            ".." => return Some("its path climbs with `..`"),
            "" | "." => return Some("its path holds an empty part or `.`"),
            _ if part.len() > 255 => return Some("a part of its path is longer than 255 bytes"),
            _ => {}
        }
    }
    None
}
