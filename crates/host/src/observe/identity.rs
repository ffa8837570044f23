//! By what this machine can be told from others: host name, hardware addresses, serial number.

use desired::identity::Traces;

use super::hostname;
use crate::root::Root;

/// Where the kernel lists network interfaces.
const INTERFACES: &str = "/sys/class/net";
/// Where firmware tells a serial number: on PCs, and on boards with a device tree.
const SERIALS: [&str; 2] =
    ["/sys/class/dmi/id/product_serial", "/sys/firmware/devicetree/base/serial-number"];

/// What can be seen of this machine; texts that every machine carries are left out.
#[must_use]
pub fn traces(root: &Root) -> Traces {
    let read = |path: &str| root.read_text(path).ok().flatten();
    let addresses = root.list(INTERFACES).into_iter();
    let addresses = addresses.filter_map(|name| read(&format!("{INTERFACES}/{name}/address")));
    let macs = addresses.filter_map(|text| text.trim().parse().ok()).collect();
    // A device tree ends its texts with a zero byte.
    let serials = SERIALS.into_iter().filter_map(read);
    let serials = serials.filter_map(|text| text.trim_matches(['\0', '\n', ' ']).parse().ok()).collect();
    Traces { hostname: hostname(root), macs, serials }
}
