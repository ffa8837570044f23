//! The descheduler's values: pods go back to the node they prefer.
//!
//! In: schedule and `violation` of the service, and the namespaces of apps. Out: values with one profile of one plug-in. The
//! chart's own list, which would evict for many other reasons, is replaced.

use std::collections::BTreeSet;

use serde::Serialize;

use super::node_selector;
use crate::model::{Model, Service};
use crate::render::flux::apps;
use crate::render::flux::object::{FAILBACK_LABEL, Image, Labels, Pairs};

const PLUGIN: &str = "RemovePodsViolatingNodeAffinity";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Values {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    node_selector: Pairs,
    #[serde(rename = "deschedulerPolicyAPIVersion")]
    policy_version: &'static str,
    descheduler_policy: Policy,
}

#[derive(Debug, Serialize)]
struct Policy {
    profiles: [Profile; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    name: &'static str,
    plugin_config: (Plugin<Evictor>, Plugin<Affinity>),
    plugins: Plugins,
}

#[derive(Debug, Serialize)]
struct Plugin<A> {
    name: &'static str,
    args: A,
}

/// What may be evicted: every app here has a claim or a host folder, and both would be passed over otherwise.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Evictor {
    evict_local_storage_pods: bool,
    ignore_pvc_pods: bool,
    /// Only what another node would take.
    node_fit: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Affinity {
    node_affinity_type: Vec<String>,
    namespaces: Namespaces,
    label_selector: Labels,
}

#[derive(Debug, Serialize)]
struct Namespaces {
    include: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Plugins {
    deschedule: Enabled,
}

#[derive(Debug, Serialize)]
struct Enabled {
    enabled: [&'static str; 1],
}

pub(super) fn values(model: &Model, service: &Service) -> Values {
    let evictor = Evictor { evict_local_storage_pods: true, ignore_pvc_pods: false, node_fit: true };
    let affinity = Affinity {
        node_affinity_type: service.settings.get("violation").cloned().into_iter().collect(),
        namespaces: Namespaces { include: apps::categories(model) },
        label_selector: Labels::with(FAILBACK_LABEL, "true"),
    };
    Values {
        kind: "CronJob",
        schedule: service.schedule.clone(),
        image: Image::of(service, "descheduler"),
        node_selector: node_selector(service),
        policy_version: "descheduler/v1alpha2",
        descheduler_policy: Policy {
            profiles: [Profile {
                name: "failback",
                plugin_config: (
                    Plugin { name: "DefaultEvictor", args: evictor },
                    Plugin { name: PLUGIN, args: affinity },
                ),
                plugins: Plugins { deschedule: Enabled { enabled: [PLUGIN] } },
            }],
        },
    }
}
