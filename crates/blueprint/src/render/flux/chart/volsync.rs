//! VolSync's values.
//!
//! In: the service. Out: values that leave the definitions to the stage before, where they come from there, and tolerations for
//! the operator alone: its movers take those of the pod that uses the volume.

use serde::Serialize;

use super::tolerations;
use crate::model::{Chart, Model, Service};
use crate::render::flux::object::{Image, Toleration};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Values {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(rename = "manageCRDs")]
    manages_crds: bool,
    tolerations: Vec<Toleration>,
}

pub(super) fn values(model: &Model, service: &Service, chart: &Chart) -> Values {
    Values {
        image: Image::of(service, "volsync"),
        manages_crds: chart.crds.is_none(),
        tolerations: tolerations(model, service),
    }
}
