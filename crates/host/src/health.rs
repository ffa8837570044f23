//! How a node is besides its plan: units, temperature, power.
//!
//! In: a root. Out: values, or nothing where the machine does not tell. Nothing is changed.

use std::collections::BTreeMap;

use desired::UnitName;

use crate::process::Invocation;
use crate::root::Root;

/// What systemd says of each unit (`active`, `activating`, `failed`…); nothing unless the system runs.
#[must_use]
pub fn units(root: &Root, units: &[UnitName]) -> BTreeMap<UnitName, String> {
    if units.is_empty() || !root.is_live() {
        return BTreeMap::new();
    }
    let call = Invocation::new("systemctl").args(["is-active", "--"]);
    // One line a unit in the order asked; the status only sums them up.
    let call = call.args(units.iter().map(UnitName::as_str)).accept([0, 3, 4]);
    let Ok(output) = call.run() else { return BTreeMap::new() };
    units.iter().cloned().zip(output.text().lines().map(str::to_owned)).collect()
}

/// The hottest zone in thousandths of a degree Celsius.
#[must_use]
pub fn millidegrees(root: &Root) -> Option<i64> {
    const ZONES: &str = "/sys/class/thermal";
    let zones = root.list(ZONES).into_iter().filter(|name| name.starts_with("thermal_zone"));
    let read = |zone: String| root.read_text(&format!("{ZONES}/{zone}/temp")).ok()??.trim().parse().ok();
    zones.filter_map(read).max()
}

/// What a Pi's firmware says of its power and heat, in words, worst first; nothing where there is no such firmware. The bits
/// are those of `vcgencmd get_throttled`.
#[must_use]
pub fn throttling(root: &Root) -> Option<Vec<&'static str>> {
    const DEVICES: &str = "/sys/devices/platform/soc";
    let folders = root.list(DEVICES).into_iter().map(|name| format!("{DEVICES}/{name}"));
    let text =
        folders.into_iter().find_map(|folder| root.read_text(&format!("{folder}/get_throttled")).ok()?)?;
    let bits = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
    Some(words(bits))
}

fn words(bits: u32) -> Vec<&'static str> {
    const WORDS: [(u32, &str); 8] = [
        (0, "under-voltage now: the power supply or its cable is too weak"),
        (1, "clock capped now"),
        (2, "throttled now"),
        (3, "too hot now"),
        (16, "under-voltage since its start"),
        (17, "clock capped since its start"),
        (18, "throttled since its start"),
        (19, "too hot since its start"),
    ];
    WORDS.iter().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, word)| *word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pi_tells_of_heat_and_power() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let root = Root::open(folder.path()).unwrap();
        assert_eq!((millidegrees(&root), throttling(&root)), (None, None));
        put("sys/class/thermal/thermal_zone0/temp", "48312\n");
        put("sys/class/thermal/cooling_device0/temp", "99000\n");
        put("sys/devices/platform/soc/soc:firmware/get_throttled", "50001\n");
        assert_eq!(millidegrees(&root), Some(48_312));
        let told = throttling(&root).unwrap();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("under-voltage now"));
    }
}
