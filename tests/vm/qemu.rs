//! The machines that QEMU emulates for the trials. In: an architecture. Out: the program, and what it is told of the board.

use desired::Arch;

/// An emulated board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// The program that is one.
    pub program: &'static str,
    /// What `-M` says.
    pub machine: &'static str,
    /// What `-cpu` says.
    pub processor: &'static str,
    /// Its first serial line, as the kernel calls it.
    pub serial: &'static str,
}

impl Board {
    /// The one of that architecture.
    #[must_use]
    pub const fn of(arch: Arch) -> Self {
        match arch {
            Arch::Amd64 => {
                Self { program: "qemu-system-x86_64", machine: "q35", processor: "max", serial: "ttyS0" }
            }
            // Pointer authentication by the book takes half of an emulated processor's time.
            Arch::Arm64 => Self {
                program: "qemu-system-aarch64",
                machine: "virt,gic-version=3",
                processor: "max,pauth-impdef=on",
                serial: "ttyAMA0",
            },
        }
    }
}
