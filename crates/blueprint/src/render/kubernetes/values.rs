//! What charts are told: image, places, amounts, each in the words of its own `values.yaml`.
//!
//! In: a service and the name of its chart. Out: YAML; empty for a chart that is not known here. Keys were read in
//! csi-driver-nfs 4.12.1, cert-manager v1.20.2, ingress-nginx 4.11 and Traefik 37, which k3s brings along.

use serde::Serialize;

use super::object::{Resources, Toleration};
use super::placement::{self, Affinity};
use crate::escape::yaml;
use crate::model::{Chart, Model, Service};
use crate::render::RenderError;

/// The values of `chart`, as YAML.
///
/// # Errors
/// If they have no form in YAML.
pub fn document(model: &Model, service: &Service, chart: &Chart) -> Result<String, RenderError> {
    let text = match chart.name.as_str() {
        "csi-driver-nfs" => yaml::document(&Nfs::of(model, service)),
        "cert-manager" => yaml::document(&CertManager::of(model, service)),
        "ingress-nginx" => yaml::document(&IngressNginx::of(model, service)),
        "traefik" => yaml::document(&Pod::of(model, service)),
        _ => Ok(String::new()),
    };
    text.map_err(RenderError::inexpressible(format!("the values of {}", service.name)))
}

/// An image by repository and tag.
#[derive(Debug, Serialize)]
struct Image {
    repository: String,
    tag: String,
    /// Set to nothing where the chart's own would win over the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'static str>,
}

impl Image {
    /// The image that `service` calls `name`; the chart's own if it says nothing or gives a digest, which has no tag.
    fn of(service: &Service, name: &str) -> Option<Self> {
        let (repository, tag) = service.images.get(name)?.rsplit_once(':')?;
        let is_tag = !repository.contains('@') && !tag.contains('/');
        is_tag.then(|| Self { repository: repository.to_owned(), tag: tag.to_owned(), digest: None })
    }
}

/// What most charts take for a pod.
#[derive(Debug, Serialize)]
struct Pod {
    #[serde(skip_serializing_if = "Option::is_none")]
    affinity: Option<Affinity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tolerations: Vec<Toleration>,
    #[serde(skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
}

impl Pod {
    fn of(model: &Model, service: &Service) -> Self {
        Self {
            affinity: Affinity::of(model, service),
            tolerations: placement::tolerations(service),
            resources: placement::resources(service),
        }
    }
}

/// csi-driver-nfs: a controller that makes folders, beside the control plane, and a part on every node that mounts them.
#[derive(Debug, Serialize)]
struct Nfs {
    image: NfsImages,
    controller: NfsController,
    node: NfsNode,
}

#[derive(Debug, Serialize)]
struct NfsImages {
    #[serde(skip_serializing_if = "Option::is_none")]
    nfs: Option<Image>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NfsController {
    #[serde(skip_serializing_if = "Option::is_none")]
    affinity: Option<Affinity>,
    /// Its side container wants kinds of objects that nothing here installs.
    enable_snapshotter: bool,
}

#[derive(Debug, Serialize)]
struct NfsNode {
    #[serde(skip_serializing_if = "Option::is_none")]
    affinity: Option<Affinity>,
    tolerations: Vec<Toleration>,
    resources: NfsResources,
}

#[derive(Debug, Serialize)]
struct NfsResources {
    nfs: Resources,
}

impl Nfs {
    fn of(model: &Model, service: &Service) -> Self {
        let server = model.first_server().map(|node| Affinity::to([node.name.to_string()]));
        Self {
            image: NfsImages { nfs: Image::of(service, "nfs") },
            controller: NfsController { affinity: server, enable_snapshotter: false },
            node: NfsNode {
                affinity: Affinity::of(model, service),
                tolerations: placement::tolerations(service),
                resources: NfsResources { nfs: placement::resources(service) },
            },
        }
    }
}

/// cert-manager: four kinds of pods, each with places of its own; amounts are for the controller.
#[derive(Debug, Serialize)]
struct CertManager {
    crds: Crds,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(flatten)]
    controller: Pod,
    webhook: Pod,
    cainjector: Pod,
    startupapicheck: Pod,
}

#[derive(Debug, Serialize)]
struct Crds {
    enabled: bool,
    /// Certificates outlive a chart that is taken away.
    keep: bool,
}

impl CertManager {
    fn of(model: &Model, service: &Service) -> Self {
        let beside = || Pod { resources: Resources::default(), ..Pod::of(model, service) };
        Self {
            crds: Crds { enabled: true, keep: true },
            image: Image::of(service, "controller"),
            controller: Pod::of(model, service),
            webhook: beside(),
            cainjector: beside(),
            startupapicheck: beside(),
        }
    }
}

/// ingress-nginx, which document 000 names; RS1030 says why it is not what is offered.
#[derive(Debug, Serialize)]
struct IngressNginx {
    controller: NginxController,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NginxController {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    ingress_class_resource: IngressClass,
    #[serde(flatten)]
    pod: Pod,
}

#[derive(Debug, Serialize)]
struct IngressClass {
    default: bool,
}

impl IngressNginx {
    fn of(model: &Model, service: &Service) -> Self {
        let image = Image::of(service, "controller").map(|image| Image { digest: Some(""), ..image });
        let pod = Pod::of(model, service);
        Self {
            controller: NginxController {
                image,
                ingress_class_resource: IngressClass { default: true },
                pod,
            },
        }
    }
}
