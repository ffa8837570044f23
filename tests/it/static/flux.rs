//! The Flux repository of a k3s cluster, as kustomize and the API's schemas read it, and as a person expects it to work.

use anyhow::{Context as _, ensure};
use blueprint::parse::Source;
use blueprint::resolve::{Profile, resolve};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::clusters::{models, pour, profile, stand_in_pins};
use tests::consumers::kubernetes::{build, conform};
use tests::lab::{Lab, Need};
use tests::programs::scratch;
use tests::ring::{Ring, Trial};

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, needs: &[Need], body: fn(&Lab) -> anyhow::Result<()>| {
        Trial::new(Ring::Static, format!("flux::{name}"), body).needs(needs)
    };
    vec![
        trial("stages_build_and_come_in_order", &[Need::Kustomize], stages_build_and_come_in_order),
        trial("the_api_knows_every_object", &[Need::Kustomize, Need::KubernetesSchemas], every_object),
        trial("apps_find_their_volumes_and_places", &[Need::Kustomize], apps_find_their_volumes_and_places),
        trial("routes_end_at_a_port", &[Need::Kustomize], routes_end_at_a_port),
        trial("our_own_rules_find_nothing", &[], our_own_rules_find_nothing),
    ]
}

/// The one cluster that Flux keeps, and its repository as a person would commit it after `flux bootstrap`.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> anyhow::Result<Self> {
        let folder = scratch()?;
        let model = models()?.into_iter().find(|model| model.services.contains_key("flux"));
        let model = model.context("a cluster with Flux")?;
        pour(&blueprint::render::cluster(&model, &stand_in_pins(&model)?)?, folder.path())?;
        let repository = Self { folder };
        let own = repository.root().join("flux-system");
        ensure!(!own.exists(), "what Flux makes for itself is ours");
        std::fs::create_dir(&own)?;
        std::fs::write(own.join("kustomization.yaml"), "resources: [namespace.yaml]\n")?;
        std::fs::write(
            own.join("namespace.yaml"),
            "apiVersion: v1\nkind: Namespace\nmetadata: { name: flux-system }\n",
        )?;
        Ok(repository)
    }
    fn top(&self) -> PathBuf {
        self.folder.path().join("flux")
    }
    fn root(&self) -> PathBuf {
        self.top().join("clusters/homelab")
    }
    /// The stages as the root's list applies them: name, path, what they wait for.
    fn stages(&self, lab: &Lab) -> anyhow::Result<Vec<Stage>> {
        let objects = build(lab, &self.root())?;
        let stages =
            objects.iter().filter(|object| is(object, "kustomize.toolkit.fluxcd.io", "Kustomization"));
        let mut left: Vec<Stage> = stages.map(Stage::of).collect::<anyhow::Result<_>>()?;
        let mut ordered: Vec<Stage> = Vec::new();
        while !left.is_empty() {
            let known: BTreeSet<&str> = ordered.iter().map(|stage| stage.name.as_str()).collect();
            let ready =
                left.iter().position(|stage| stage.after.iter().all(|name| known.contains(name.as_str())));
            let ready = ready.with_context(|| format!("these wait for one another: {left:?}"))?;
            ordered.push(left.remove(ready));
        }
        Ok(ordered)
    }
    fn built(&self, lab: &Lab, stage: &Stage) -> anyhow::Result<Vec<Value>> {
        let below = stage.path.strip_prefix("./").context("Flux wants ./ before a path")?;
        build(lab, &self.top().join(below))
    }
    fn apps(&self, lab: &Lab) -> anyhow::Result<Vec<Value>> {
        build(lab, &self.root().join("apps"))
    }
}

#[derive(Debug)]
struct Stage {
    name: String,
    path: String,
    after: Vec<String>,
}

impl Stage {
    fn of(object: &Value) -> anyhow::Result<Self> {
        let spec = &object["spec"];
        ensure!(spec["wait"] == true && spec["prune"] == true, "{object}");
        ensure!(spec["interval"] == "1m" && spec["sourceRef"]["name"] == "flux-system", "{object}");
        let after = spec["dependsOn"].as_array().cloned().unwrap_or_default();
        Ok(Self {
            name: text(&object["metadata"]["name"])?,
            path: text(&spec["path"])?,
            after: after.iter().map(|item| text(&item["name"])).collect::<anyhow::Result<_>>()?,
        })
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is no text"))?.to_owned())
}

fn group(object: &Value) -> &str {
    object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group)
}

fn is(object: &Value, group_wanted: &str, kind: &str) -> bool {
    group(object) == group_wanted && object["kind"] == kind
}

fn stages_build_and_come_in_order(lab: &Lab) -> anyhow::Result<()> {
    let repository = Repository::new()?;
    let stages = repository.stages(lab)?;
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    // Document 004, Reconciliation Hierarchy.
    let wanted =
        ["infrastructure-crds", "infrastructure-controllers", "infrastructure-storage", "operations", "apps"];
    ensure!(names == wanted, "{names:?}");
    // Groups of objects that a cluster has before the first stage: its own, and Flux's.
    let mut known: BTreeSet<String> = [
        "",
        "apps",
        "batch",
        "networking.k8s.io",
        "storage.k8s.io",
        "kustomize.toolkit.fluxcd.io",
        "source.toolkit.fluxcd.io",
        "helm.toolkit.fluxcd.io",
        "rbac.authorization.k8s.io",
    ]
    .map(str::to_owned)
    .into();
    let mut seen = BTreeSet::new();
    for stage in &stages {
        let objects = repository.built(lab, stage)?;
        ensure!(!objects.is_empty(), "{} applies nothing", stage.name);
        for object in &objects {
            ensure!(known.contains(group(object)), "{}: nothing before it defines {object}", stage.name);
            let name = format!(
                "{} {} {}",
                object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]
            );
            ensure!(seen.insert(name.clone()), "{name} is applied by two stages");
        }
        for object in &objects {
            if object["metadata"]["name"] == "volsync-crds" {
                known.insert("volsync.backube".to_owned());
            }
            if is(object, "helm.toolkit.fluxcd.io", "HelmRelease")
                && object["spec"]["chart"]["spec"]["chart"] == "metallb"
            {
                known.insert("metallb.io".to_owned());
            }
        }
    }
    ensure!(known.contains("volsync.backube") && known.contains("metallb.io"), "{known:?}");
    Ok(())
}

fn every_object(lab: &Lab) -> anyhow::Result<()> {
    let repository = Repository::new()?;
    let mut objects = build(lab, &repository.root())?;
    for stage in repository.stages(lab)? {
        objects.extend(repository.built(lab, &stage)?);
    }
    conform(lab, &objects)?;
    // And a key that nobody knows is noticed, in an object of each source of schemas.
    for kind in ["Deployment", "HelmRelease", "IPAddressPool", "ReplicationDestination"] {
        let object = objects.iter().find(|object| object["kind"] == kind).context(kind)?;
        let mut broken = object.clone();
        broken["spec"]["replica"] = json!(1);
        ensure!(conform(lab, &[broken]).is_err(), "{kind} takes any key");
    }
    Ok(())
}

/// The pods of apps, by name.
fn pods(objects: &[Value]) -> BTreeMap<&str, &Value> {
    let pods =
        objects.iter().filter(|object| object["kind"] == "Deployment" || object["kind"] == "StatefulSet");
    pods.filter_map(|object| {
        Some((object["metadata"]["name"].as_str()?, &object["spec"]["template"]["spec"]))
    })
    .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn apps_find_their_volumes_and_places(lab: &Lab) -> anyhow::Result<()> {
    let repository = Repository::new()?;
    let apps = repository.apps(lab)?;
    let storage = build(lab, &repository.root().join("infrastructure/storage"))?;
    let named = |objects: &[Value], kind: &str| -> BTreeMap<String, Value> {
        let all = objects.iter().filter(|object| object["kind"] == kind);
        all.filter_map(|object| Some((object["metadata"]["name"].as_str()?.to_owned(), object.clone())))
            .collect()
    };
    let (claims, volumes) = (named(&apps, "PersistentVolumeClaim"), named(&storage, "PersistentVolume"));
    let classes: BTreeSet<String> =
        named(&storage, "StorageClass").into_keys().chain(["longhorn".to_owned()]).collect();
    for (name, claim) in &claims {
        let class = claim["spec"]["storageClassName"].as_str().context("a claim says its class")?;
        let Some(volume) = claim["spec"]["volumeName"].as_str() else {
            ensure!(classes.contains(class), "{name}: no class {class}");
            continue;
        };
        let kept = &volumes.get(volume).with_context(|| format!("{name}: no volume {volume}"))?["spec"];
        let reference = &kept["claimRef"];
        ensure!(class.is_empty() && reference["name"] == **name, "{name} and {volume} do not meet");
        ensure!(
            reference["namespace"] == claim["metadata"]["namespace"],
            "{volume} is kept for another namespace"
        );
        ensure!(kept["accessModes"] == claim["spec"]["accessModes"], "{name} and {volume} differ");
    }
    ensure!(volumes.len() == claims.values().filter(|claim| claim["spec"]["volumeName"].is_string()).count());
    for (name, pod) in pods(&apps) {
        for volume in list(&pod["volumes"]) {
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                ensure!(claims.contains_key(claim), "{name}: no claim {claim}");
            }
        }
        propagation(name, pod)?;
        if name != "clusterplex-worker" {
            placed(name, pod)?;
        }
    }
    clusterplex(&apps)
}

/// Document 001: DFS Sharing, Decypharr Architecture; FIELD X24.
fn propagation(name: &str, pod: &Value) -> anyhow::Result<()> {
    let container = &pod["containers"][0];
    let both =
        list(&container["volumeMounts"]).iter().any(|mount| mount["mountPropagation"] == "Bidirectional");
    ensure!(
        both == (container["securityContext"]["privileged"] == true),
        "{name}: privileged without a reason, or not"
    );
    ensure!(both == (name == "decypharr-streaming"), "{name}: {container}");
    for volume in list(&pod["volumes"]).iter().filter(|volume| volume["hostPath"]["path"] == "/mnt/dfs") {
        let mut mounts = list(&container["volumeMounts"]).iter();
        let mount =
            mounts.find(|mount| mount["name"] == volume["name"]).context("a volume that is mounted")?;
        ensure!(mount["mountPropagation"] == "HostToContainer", "{name}: {mount}");
    }
    if name.starts_with("decypharr") {
        ensure!(pod["enableServiceLinks"] == false, "{name} is given the variables it misreads");
        let probes = ["readinessProbe", "livenessProbe", "startupProbe"].map(|probe| &container[probe]);
        ensure!(probes.iter().all(|probe| probe.is_null()), "{name} is asked and answers 401");
    }
    Ok(())
}

/// Document 001, Pod affinity pattern.
fn placed(name: &str, pod: &Value) -> anyhow::Result<()> {
    let wanted = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{ "matchExpressions": [
            { "key": "node.longhorn.io/storage", "operator": "In", "values": ["enabled"] } ] }] },
        "preferredDuringSchedulingIgnoredDuringExecution": [{ "weight": 100, "preference": { "matchExpressions": [
            { "key": "node.longhorn.io/primary", "operator": "In", "values": ["true"] } ] } }],
    });
    ensure!(pod["affinity"]["nodeAffinity"] == wanted, "{name}: {}", pod["affinity"]);
    let leave = |state: &str| {
        json!({ "key": format!("node.kubernetes.io/{state}"), "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 30 })
    };
    let storage = json!({ "key": "node.longhorn.io/storage", "operator": "Equal", "value": "enabled",
                          "effect": "NoSchedule" });
    for toleration in [storage, leave("unreachable"), leave("not-ready")] {
        ensure!(list(&pod["tolerations"]).contains(&toleration), "{name} lacks {toleration}");
    }
    Ok(())
}

/// Document 001, ClusterPlex.
fn clusterplex(apps: &[Value]) -> anyhow::Result<()> {
    let pods = pods(apps);
    let claim_of = |app: &str, path: &str| -> anyhow::Result<String> {
        let pod = pods.get(app).context(app.to_owned())?;
        let mut mounts = list(&pod["containers"][0]["volumeMounts"]).iter();
        let mount =
            mounts.find(|mount| mount["mountPath"] == path).with_context(|| format!("{app}: {path}"))?;
        let mut volumes = list(&pod["volumes"]).iter();
        let volume = volumes.find(|volume| volume["name"] == mount["name"]).context("its volume")?;
        text(&volume["persistentVolumeClaim"]["claimName"])
    };
    for path in ["/transcode", "/mnt/streaming-media", "/mnt/media"] {
        let shared = claim_of("clusterplex-pms", path)?;
        ensure!(shared == claim_of("clusterplex-worker", path)?, "{path} is not one folder for both");
        let claim = apps.iter().find(|object| {
            object["kind"] == "PersistentVolumeClaim" && object["metadata"]["name"] == *shared
        });
        let modes = &claim.context(shared)?["spec"]["accessModes"];
        ensure!(modes == &json!(["ReadWriteMany"]) || path == "/mnt/media", "{path}: {modes}");
    }
    let workers = apps
        .iter()
        .find(|object| object["metadata"]["name"] == "clusterplex-worker" && object["kind"] == "StatefulSet");
    let spec = &workers.context("workers")?["spec"];
    ensure!(
        spec["replicas"] == 2 && spec["volumeClaimTemplates"][0]["metadata"]["name"] == "codecs",
        "{spec}"
    );
    let affinity = &spec["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    ensure!(affinity["nodeSelectorTerms"][0]["matchExpressions"][0]["key"] == "gpu", "{affinity}");
    Ok(())
}

fn routes_end_at_a_port(lab: &Lab) -> anyhow::Result<()> {
    let repository = Repository::new()?;
    let apps = repository.apps(lab)?;
    let controllers = build(lab, &repository.root().join("infrastructure/controllers"))?;
    let mut releases = controllers.iter().filter(|object| object["kind"] == "HelmRelease");
    let traefik = releases.find(|release| release["metadata"]["name"] == "traefik").context("Traefik")?;
    let ports = &traefik["spec"]["values"]["ports"];
    let mut routes = 0;
    for ingress in apps.iter().filter(|object| object["kind"] == "Ingress") {
        let points =
            text(&ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.entrypoints"])?;
        for point in points.split(',') {
            ensure!(ports[point]["port"].is_number(), "Traefik has no entry point {point}: {ports}");
        }
        let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
        ensure!(backend["port"]["number"] == 80, "{backend}");
        let service = apps
            .iter()
            .find(|object| object["kind"] == "Service" && object["metadata"]["name"] == backend["name"]);
        let service = &service.context("the service of a route")?["spec"];
        let port = list(&service["ports"]).iter().find(|port| port["port"] == 80).context("port 80")?;
        let name = text(&backend["name"])?;
        let container = &pods(&apps)[name.as_str()]["containers"][0];
        let open = list(&container["ports"]).iter().any(|open| open["containerPort"] == port["targetPort"]);
        ensure!(open, "{name} does not listen where its service sends to");
        routes += 1;
    }
    ensure!(routes >= 2, "only {routes} routes");
    Ok(())
}

/// The files judged as if a person had written them below the service's folder.
fn our_own_rules_find_nothing(_: &Lab) -> anyhow::Result<()> {
    let repository = Repository::new()?;
    let (cluster, roles) = profile("homelab")?;
    let mut files = Vec::new();
    for path in host::tree::files(&repository.top())? {
        let below = path.strip_prefix(repository.top())?.to_string_lossy().into_owned();
        files.push(source(&path, &below)?);
    }
    ensure!(files.len() > 50, "only {} files", files.len());
    let found = |files: &[Source]| {
        resolve(&Profile { folder: "homelab", cluster: &cluster, roles: &roles, files }).findings
    };
    let (before, after) = (found(&[]), found(&files));
    ensure!(after.len() == before.len(), "{after:#?}");
    // The rules were looking.
    let broken: Vec<Source> = files
        .iter()
        .map(|file| {
            Source::new(file.path.to_string(), file.text.replace("privileged: true", "privileged: false"))
        })
        .collect();
    ensure!(found(&broken).len() > before.len(), "a broken file is not found");
    Ok(())
}

fn source(path: &Path, below: &str) -> anyhow::Result<Source> {
    Ok(Source::new(format!("homelab/services/flux/{below}"), std::fs::read_to_string(path)?))
}
