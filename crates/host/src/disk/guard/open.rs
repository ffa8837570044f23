//! The last look: the open descriptor is the device that was cleared, and nobody mounted it meanwhile (FIELD F2).

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};

use rustix::fs::OFlags;

use super::ClearedDevice;
use crate::disk::inventory::{Device, LookError, Number, identity_now, mounts_now};

/// Why a cleared device is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody has it, which the kernel alone may know.
    #[error(
        "{device} is in use: the kernel gives it to nobody else (lsblk, fuser -vm {device} and dmsetup ls tell by whom)"
    )]
    Busy {
        /// Which.
        device: String,
    },
    /// The system refused.
    #[error("open {device} for writing{}", if source.kind() == std::io::ErrorKind::PermissionDenied { "; run it with sudo" } else { "" })]
    Refused {
        /// Which.
        device: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is another one now.
    #[error(
        "{device} is not the device any more that was looked at: its {what} was {was} and is {is}; was it taken out? run it again"
    )]
    Another {
        /// Which.
        device: String,
        /// What differs.
        what: &'static str,
        /// At the look.
        was: String,
        /// Now.
        is: String,
    },
    /// Somebody mounted it since the look.
    #[error(
        "{device} was mounted at {mount_point} meanwhile (a desktop does that by itself); unmount it and run it again"
    )]
    Mounted {
        /// Which part.
        device: String,
        /// Where.
        mount_point: String,
    },
    /// The mounts can't be told.
    #[error(transparent)]
    Look(#[from] LookError),
}

impl OpenError {
    /// Whether it was refused for safety, and not by the system.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Another { .. } | Self::Mounted { .. })
    }
}

/// A device that is open for reading and writing, claimed from the kernel, and checked again.
#[derive(Debug)]
pub struct OpenedDevice {
    file: File,
    device: Device,
}

impl OpenedDevice {
    /// What is known of it.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The descriptor; the claim ends with it.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }
}

impl ClearedDevice {
    /// Opens it. While it is open nobody can mount any of its partitions.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, it is another one, or it was mounted meanwhile.
    pub fn open(self) -> Result<OpenedDevice, OpenError> {
        let path = self.device.path.clone();
        // O_EXCL without O_CREAT is the kernel's claim on a block device: it fails with EBUSY while a mount, swap, md, dm
        // or another claim has any part of it.
        let flags = OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).expect("the flags are small");
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path);
        let file = opened.map_err(|source| match source.kind() {
            std::io::ErrorKind::ResourceBusy => OpenError::Busy { device: path.clone() },
            _ => OpenError::Refused { device: path.clone(), source },
        })?;
        let opened = OpenedDevice { file, device: self.device };
        opened.is_the_same()?;
        opened.is_not_mounted()?;
        Ok(opened)
    }
}

impl OpenedDevice {
    fn is_the_same(&self) -> Result<(), OpenError> {
        let device = &self.device;
        let refused = |source| OpenError::Refused { device: device.path.clone(), source };
        let differs = |what, was: &dyn ToString, is: &dyn ToString| OpenError::Another {
            device: device.path.clone(),
            what,
            was: was.to_string(),
            is: is.to_string(),
        };
        let metadata = self.file.metadata().map_err(refused)?;
        if !metadata.file_type().is_block_device() {
            return Err(differs("kind", &"a block device", &"none"));
        }
        let raw = metadata.rdev();
        let number = Number { major: rustix::fs::major(raw), minor: rustix::fs::minor(raw) };
        if number != device.number {
            return Err(differs("number", &device.number, &number));
        }
        // The end of a block device is its length (BLKGETSIZE64 without an ioctl).
        let size = (&self.file).seek(SeekFrom::End(0)).map_err(refused)?;
        (&self.file).rewind().map_err(refused)?;
        if size != device.size.0 {
            return Err(differs("length", &device.size, &desired::ByteSize(size)));
        }
        let now = identity_now(number);
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        for (what, was, is) in
            [("serial number", &device.driver.0, &now.serial), ("model", &device.driver.1, &now.model)]
        {
            if was != is {
                return Err(differs(what, &or_none(was), &or_none(is)));
            }
        }
        if now.sequence != device.sequence {
            let shown =
                |sequence: Option<u64>| sequence.map_or_else(|| "unknown".to_owned(), |one| one.to_string());
            return Err(differs("running number", &shown(device.sequence), &shown(now.sequence)));
        }
        Ok(())
    }

    fn is_not_mounted(&self) -> Result<(), OpenError> {
        for mount in mounts_now()? {
            let is_of = |device: &&Device| device.number == mount.number || device.path == mount.source;
            if let Some(part) = self.device.tree().find(is_of) {
                return Err(OpenError::Mounted { device: part.path.clone(), mount_point: mount.point });
            }
        }
        Ok(())
    }
}
