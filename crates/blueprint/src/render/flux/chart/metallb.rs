//! MetalLB's values, its pool of addresses and their announcement.
//!
//! In: the service's `address-pool`. Out: values without the routing daemons that only BGP needs, a speaker that runs on tainted
//! nodes too, and the two objects that make services of type LoadBalancer work on a LAN.

use serde::Serialize;

use super::tolerations;
use crate::model::{Chart, Model, Service};
use crate::render::RenderError;
use crate::render::flux::folder::Tree;
use crate::render::flux::object::{Image, Metadata, Object, Toleration};
use crate::render::flux::stage::Stage;

#[derive(Debug, Serialize)]
pub(super) struct Values {
    controller: Controller,
    speaker: Speaker,
    frrk8s: Switch,
}

#[derive(Debug, Serialize)]
struct Controller {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
}

#[derive(Debug, Serialize)]
struct Speaker {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    tolerations: Vec<Toleration>,
    frr: Switch,
}

#[derive(Debug, Serialize)]
struct Switch {
    enabled: bool,
}

pub(super) fn values(model: &Model, service: &Service) -> Values {
    Values {
        controller: Controller { image: Image::of(service, "controller") },
        speaker: Speaker {
            image: Image::of(service, "speaker"),
            tolerations: tolerations(model, service),
            frr: Switch { enabled: false },
        },
        frrk8s: Switch { enabled: false },
    }
}

#[derive(Debug, Serialize)]
struct Pool<'a> {
    addresses: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Advertisement {
    ip_address_pools: Vec<&'static str>,
}

/// The pool, in the stage after the one that installs what checks it.
pub(super) fn put(tree: &mut Tree, service: &Service, chart: &Chart) -> Result<(), RenderError> {
    const POOL: &str = "lan";
    let Some(range) = service.settings.get("address-pool") else { return Ok(()) };
    let folder = format!("{}/{}", Stage::Operations.folder(), service.name);
    let metadata = || Metadata::within(&chart.namespace, POOL);
    let addresses = range.split(',').map(str::trim).collect();
    tree.put(
        &folder,
        "address-pool",
        &Object::new("metallb.io/v1beta1", "IPAddressPool", metadata(), Pool { addresses }),
    )?;
    let spec = Advertisement { ip_address_pools: vec![POOL] };
    tree.put(
        &folder,
        "l2-advertisement",
        &Object::new("metallb.io/v1beta1", "L2Advertisement", metadata(), spec),
    )
}
