//! A base as a vendor would ship it, made from Debian's packages alone: one disk image whose first boot has not happened yet.
//!
//! In: the lab's folder and an architecture. Out: [`Base`], an image of a boot partition (FAT32, with the kernel, its command
//! line and an empty seed) and a root that cloud-init sets up, laid out as Raspberry Pi OS lays out its own. It is made without
//! a mount, and kept by everything that goes into it. [`root`] is its content, [`layout`] its bytes.

mod layout;
mod root;

use crate::lab::{Missing, Permission, folder};
use desired::{Arch, Digest};
use std::path::{Path, PathBuf};

pub use layout::{BOOT_LABEL, BOOT_START, DISK_ID};

/// An image that is never written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    image: PathBuf,
}

impl Base {
    /// Finds it, or makes it: a minute or two for this machine's architecture, some ten for the other, which is emulated.
    ///
    /// # Errors
    /// If this machine is none that bases are made on, or mmdebstrap, the mirror or root's rights are not to be had.
    pub fn find_or_make(
        permission: &Permission,
        arch: Arch,
        talk: &mut dyn FnMut(&str),
    ) -> Result<Self, Missing> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Missing::new("bases are made on amd64 machines", "run this on one"));
        }
        let recipe = root::recipe(arch);
        let all = format!("{}{arch}{}", recipe.key()?, layout::key());
        let key = Digest::sha256_of(all.as_bytes()).hex()[..12].to_owned();
        let cache = permission.folder.join("bases");
        let base = Self { image: cache.join(format!("{}-{arch}-{key}.img", recipe.codename)) };
        if base.image.exists() {
            return Ok(base);
        }
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(folder(&cache)?);
        let unfinished = unfinished.map_err(|error| failed(&cache, &error))?;
        let root = unfinished.path().join("root");
        recipe.make(permission, "the root of a base", &root, talk)?;
        let image = unfinished.path().join("base.img");
        layout::lay_out(&image, arch, &root)?;
        std::fs::rename(&image, &base.image).map_err(|error| failed(&base.image, &error))?;
        Ok(base)
    }

    /// The image, raw and sparse.
    #[must_use]
    pub fn image(&self) -> &Path {
        &self.image
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Missing {
    Missing::new(format!("{}: {error}", path.display()), "free space or set ROOTSTOCK_LAB")
}
