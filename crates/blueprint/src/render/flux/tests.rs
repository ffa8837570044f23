use super::*;
use crate::model::{AccessMode, Claim, Kubernetes, Service, Workload};
use crate::render::fixture;

fn kubernetes() -> Kubernetes {
    Kubernetes {
        chart: None,
        workload: Workload::Deployment,
        category: "home".to_owned(),
        claims: Vec::new(),
        propagation: None,
        privileged: false,
        service_links: true,
        probes: true,
        apart_from: Vec::new(),
    }
}

fn service(model: &Model, name: &str) -> Service {
    let mut service = model.services["forge"].clone();
    name.clone_into(&mut service.name);
    service.kind = ServiceKind::Kubernetes;
    service.kubernetes = Some(kubernetes());
    service.volumes.clear();
    service
}

/// The fixture with Flux and two apps.
fn model() -> Model {
    let mut model = fixture::model();
    for name in ["flux", "one", "two"] {
        let service = service(&model, name);
        model.services.insert(name.to_owned(), service);
    }
    model
}

fn claim(size: &str) -> Claim {
    Claim {
        name: "shared".to_owned(),
        path: "/shared".parse().unwrap(),
        class: "many".to_owned(),
        mode: AccessMode::ReadWriteMany,
        size: size.to_owned(),
        each: false,
    }
}

fn fault(model: &Model) -> String {
    tree(model, &Pins::default()).unwrap_err().to_string()
}

#[test]
fn without_flux_there_is_nothing() {
    assert!(tree(&fixture::model(), &Pins::default()).unwrap().is_empty());
}

#[test]
fn every_folder_lists_what_is_in_it_and_flux_keeps_its_own() {
    let files = tree(&model(), &Pins::default()).unwrap();
    let text = |path: &str| String::from_utf8(files.get(path).expect(path).content.clone()).unwrap();
    let root = text("flux/clusters/kustomization.yaml");
    assert!(
        root.contains("- flux-system\n") && root.contains("- cluster\n") && !root.contains("apps"),
        "{root}"
    );
    let home = text("flux/clusters/apps/home/kustomization.yaml");
    assert!(["- one\n", "- two\n", "- shared\n"].iter().all(|line| home.contains(line)), "{home}");
    assert!(!files.iter().any(|(path, _)| path.contains("/flux-system/")));
    // Only what has a folder is applied, or Flux would wait for ever for a path that is not there.
    let stages = files.iter().filter(|(path, _)| path.contains("/cluster/")).map(|(path, _)| path.to_owned());
    assert_eq!(
        stages.collect::<Vec<_>>(),
        ["flux/clusters/cluster/apps.yaml", "flux/clusters/cluster/kustomization.yaml"]
    );
}

#[test]
fn an_order_that_is_none_is_refused() {
    let order = |stages: &[&str]| {
        let mut model = model();
        let settings = &mut model.services.get_mut("flux").unwrap().settings;
        for (index, stage) in stages.iter().enumerate() {
            settings.insert(format!("order-{}", index + 1), (*stage).to_owned());
        }
        fault(&model)
    };
    assert!(order(&["infrastructure"]).contains("there is no such stage"));
    assert!(order(&["apps", "apps"]).contains("named twice"));
    assert!(order(&["apps"]).contains("no place in the order"));
}

#[test]
fn what_cannot_work_is_refused() {
    let mut unreachable = model();
    let traefik = service(&unreachable, "traefik");
    unreachable.services.insert("traefik".to_owned(), traefik);
    let one = unreachable.services.get_mut("one").unwrap();
    one.domains = vec!["one.example".to_owned()];
    assert!(fault(&unreachable).contains("no port that Traefik asks"));
    let mut torn = model();
    for (name, size) in [("one", "1Gi"), ("two", "2Gi")] {
        let kubernetes = torn.services.get_mut(name).unwrap().kubernetes.as_mut().unwrap();
        kubernetes.claims = vec![claim(size)];
    }
    assert!(fault(&torn).contains("another class or size"));
}
