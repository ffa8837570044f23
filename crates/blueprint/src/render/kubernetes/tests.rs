use serde_json::Value;

use super::*;
use crate::escape::yaml;
use crate::model::{Published, Share, ShareKind};
use crate::render::{fixture, testing};

/// The small k3s cluster with an NFS share and a service that installs `chart`.
fn model(chart: &str) -> Model {
    let mut model = testing::model();
    let mut both = fixture::model();
    let mut service = both.services.remove("forge").expect("the fixture has it");
    service.name = chart.to_owned();
    service.kind = ServiceKind::Kubernetes;
    service.nodes = ["server-1".parse().unwrap()].into();
    service.chart = Some(Chart {
        name: chart.to_owned(),
        published: Some(Published {
            repository: "https://charts.example".to_owned(),
            version: "1.0".to_owned(),
        }),
        namespace: "kube-system".to_owned(),
    });
    model.services = [(chart.to_owned(), service)].into();
    let share = both.shares.remove("nas").expect("the fixture has it");
    let server = crate::model::ShareServer::Node("server-1".parse().unwrap());
    let share = Share { kind: ShareKind::Nfs, server, via: crate::model::Via::Lan, ..share };
    model.shares = [("nas".to_owned(), share)].into();
    model
}

fn service<'a>(model: &'a mut Model, name: &str) -> &'a mut Service {
    model.services.get_mut(name).unwrap()
}

/// A file of the tree; several documents as a list.
fn file(model: &Model, path: &str) -> Vec<Value> {
    let files = tree(model, &Pins::default()).unwrap();
    let entry = files.get(path).unwrap_or_else(|| panic!("{path}"));
    let text = String::from_utf8(entry.content.to_vec()).unwrap();
    text.split("---\n").map(|part| yaml::read(part).unwrap()).collect()
}

fn values(model: &Model, name: &str) -> Value {
    let chart = &file(model, &format!("kubernetes/charts/{name}.yaml"))[0];
    yaml::read(chart["spec"]["valuesContent"].as_str().unwrap()).unwrap()
}

#[test]
fn a_class_of_volumes_lies_on_the_share_and_keeps_what_was_deleted() {
    let mut model = model("csi-driver-nfs");
    let settings = [
        ("storage-class", "slow"),
        ("share", "nas"),
        ("folder", "data"),
        ("mount-options", "nfsvers=4.2, hard"),
    ];
    service(&mut model, "csi-driver-nfs").settings =
        settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let class = &file(&model, "kubernetes/objects/csi-driver-nfs.yaml")[0];
    assert_eq!(class["parameters"]["server"], "192.168.1.10");
    assert_eq!(class["parameters"]["share"], "/media/ada/my nas/data");
    assert_eq!(class["mountOptions"], serde_json::json!(["nfsvers=4.2", "hard"]));
    assert_eq!(class["reclaimPolicy"], "Retain");
    assert!(class["metadata"].get("annotations").is_none(), "it was not said to be the default");
    // Its controller stays off the boards; its other part goes where it was told.
    let values = values(&model, "csi-driver-nfs");
    assert_eq!(values["controller"]["affinity"], values["node"]["affinity"]);
}

#[test]
fn images_are_the_specs_and_a_digest_of_the_charts_own_does_not_win() {
    let mut model = model("ingress-nginx");
    let image = |text: &str| [("controller".to_owned(), text.to_owned())].into();
    service(&mut model, "ingress-nginx").images = image("registry.example:5000/ingress/controller:v1.15.1");
    let told = &values(&model, "ingress-nginx")["controller"]["image"];
    assert_eq!(told["repository"], "registry.example:5000/ingress/controller");
    assert_eq!((&told["tag"], &told["digest"]), (&"v1.15.1".into(), &"".into()));
    service(&mut model, "ingress-nginx").images = image("registry.example:5000/ingress/controller");
    assert!(values(&model, "ingress-nginx")["controller"].get("image").is_none());
}

#[test]
fn what_k3s_brings_along_is_given_settings_and_waited_for_by_nobody() {
    let mut model = model("traefik");
    service(&mut model, "traefik").chart.as_mut().unwrap().published = None;
    let object = &file(&model, "kubernetes/charts/traefik.yaml")[0];
    assert_eq!(object["kind"], "HelmChartConfig");
    assert_eq!(object["spec"].as_object().unwrap().keys().collect::<Vec<_>>(), ["valuesContent"]);
    let files = tree(&model, &Pins::default()).unwrap();
    let script = files.get(SCRIPT).unwrap();
    assert!(!String::from_utf8(script.content.to_vec()).unwrap().contains("installed traefik"));
}

#[test]
fn an_authority_signs_itself_then_the_rest() {
    let mut model = model("cert-manager");
    let chart = service(&mut model, "cert-manager");
    chart.settings = [("issuer".to_owned(), "home".to_owned())].into();
    chart.chart.as_mut().unwrap().namespace = "certs".to_owned();
    let [bootstrap, root, issuer] = &file(&model, "kubernetes/objects/cert-manager.yaml")[..] else {
        panic!()
    };
    assert_eq!(bootstrap["spec"], serde_json::json!({"selfSigned": {}}));
    assert_eq!(root["spec"]["issuerRef"]["name"], bootstrap["metadata"]["name"]);
    assert_eq!(root["metadata"]["namespace"], "certs");
    assert_eq!(issuer["spec"]["ca"]["secretName"], root["spec"]["secretName"]);
}

#[test]
fn a_cluster_without_charts_has_no_tree() {
    assert!(tree(&fixture::model(), &Pins::default()).unwrap().iter().next().is_none());
}

#[test]
fn variables_of_the_compose_file_say_where_folders_are() {
    let mut model = model("traefik");
    let mut komga = service(&mut model, "traefik").clone();
    komga.name = "komga".to_owned();
    komga.kind = ServiceKind::Compose;
    komga.chart = None;
    komga.variants = [Variant::Kustomize].into();
    komga.images = [("komga".to_owned(), "example/komga:1".to_owned())].into();
    komga.environment = [("KOMGA_CONFIG", "/media/ada/my nas/data/forge"), ("LOG", "debug")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    komga.domains = vec!["komga.example".to_owned()];
    model.services.insert("komga".to_owned(), komga);
    let overlay = &file(&model, "kubernetes/komga/overlays/small/kustomization.yaml")[0];
    let replacement = &overlay["replacements"][0];
    assert_eq!(replacement["source"]["fieldPath"], "data.KOMGA_CONFIG");
    assert_eq!(
        replacement["targets"][0]["fieldPaths"][0],
        "spec.template.spec.volumes.[name=data].hostPath.path"
    );
    let deployment = &file(&model, "kubernetes/komga/base/komga-deployment.yaml")[0];
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false);
    let names: Vec<&str> = pod["containers"][0]["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["TZ", "LOG", "FORGE_KEY"], "a variable that stands for a folder is no setting");
    let files = tree(&model, &Pins::default()).unwrap();
    let text =
        String::from_utf8(files.get("kubernetes/komga/overlays/small/paths.env").unwrap().content.clone());
    assert_eq!(text.unwrap(), "KOMGA_CONFIG=/media/ada/my nas/data/forge\n");
}
