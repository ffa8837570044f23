//! Nodes and groups of the spec → typed nodes, each with the places its parts were written at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::rc::Rc;

use desired::identity::Identity;
use desired::{Arch, Invalid, NodeName};

use super::card::{ClusterCard, card};
use super::place::{Findings, Place, Placed};
use super::preset::{Preset, Roles};
use super::{range, taint};
use crate::finding::Rule;
use crate::finding::rules::{network, node as rule, shape};
use crate::model::{Capability, K3sRole, Kubelet, Node, Os};
use crate::spec::{At, ClusterSpec, GroupSpec, K3sRoleSpec, NodeSpec, OsFamily, Power};

/// Where the parts of a node were written, and the presets it came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The name of the node, or the range of its group.
    pub(crate) name: Place,
    pub(crate) address: Option<Place>,
    pub(crate) mesh_address: Option<Place>,
    pub(crate) interface: Option<Place>,
    pub(crate) mac: Option<Place>,
    pub(crate) serial: Option<Place>,
    pub(crate) protected_disks: Rc<Vec<Placed<String>>>,
    pub(crate) flash_target: Option<Placed<String>>,
    pub(crate) preset: Rc<Preset>,
}

/// A node that may still lack something; only a cluster without errors is made of complete ones.
#[derive(Debug, Clone)]
pub(crate) struct DraftNode {
    pub(crate) node: Node,
    pub(crate) origin: Origin,
}

impl DraftNode {
    /// Whether it surely lacks `capability`: where its roles or capabilities were not understood, nobody can say.
    pub(crate) fn lacks(&self, capability: Capability) -> bool {
        !self.origin.preset.is_doubtful && !self.node.can(capability)
    }
    /// Whether it surely has no part in k3s.
    pub(crate) fn is_outside_k3s(&self) -> bool {
        !self.origin.preset.is_doubtful && self.node.k3s.is_none()
    }
    /// Its operating system, if one was written and understood.
    pub(crate) fn family(&self) -> Option<OsFamily> {
        let os = self.origin.preset.os.as_ref()?;
        (!os.family.place.is_placeholder()).then_some(os.family.value)
    }
}

/// Nodes by name.
pub(crate) type DraftNodes = BTreeMap<NodeName, DraftNode>;

/// What the nodes of a table or a group have in common, typed once.
struct Common {
    preset: Rc<Preset>,
    template: Node,
}

/// All nodes of `spec`.
pub(crate) fn nodes(spec: &ClusterSpec, roles: &Roles<'_>, findings: &mut Findings) -> DraftNodes {
    let mut nodes = DraftNodes::new();
    let cluster = ClusterCard { card: &spec.card, admin_user: &spec.cluster.admin_user.value };
    for (name, node) in &spec.nodes {
        single((name, node), (roles, &cluster), &mut nodes, findings);
    }
    for (name, members) in &spec.groups {
        group((name, members), (roles, &cluster), &mut nodes, findings);
    }
    nodes
}

fn single(
    (name, spec): (&At<String>, &NodeSpec),
    (roles, cluster): (&Roles<'_>, &ClusterCard<'_>),
    nodes: &mut DraftNodes,
    findings: &mut Findings,
) {
    let place = Place::of(name);
    let common = common(place, roles.merge(0, &spec.preset(), findings), cluster, findings);
    let Some(node_name) = node_name(&name.value, place, findings) else { return };
    let mut node = common.template;
    node.name = node_name;
    node.address = match &spec.address {
        Some(at) => address(&at.value, Place::of(at), findings),
        None => {
            incomplete(&name.value, "address", place, findings);
            Ipv4Addr::UNSPECIFIED
        }
    };
    node.mesh_address = spec.mesh_address.as_ref().map(|at| address(&at.value, Place::of(at), findings));
    node.interface = spec.interface.as_ref().map(|at| at.value.clone());
    node.identity = Identity {
        mac: spec.mac.as_ref().and_then(|at| mark(at, &rule::INTERFACE, findings)),
        serial: spec.serial.as_ref().and_then(|at| mark(at, &rule::MACHINE_MARK, findings)),
    };
    node.protected_disks = spec.protected_disks.iter().map(|at| at.value.clone()).collect();
    node.flash_target = spec.flash_target.as_ref().map(|at| at.value.clone());
    let origin = Origin {
        name: place,
        address: spec.address.as_ref().map(Place::of),
        mesh_address: spec.mesh_address.as_ref().map(Place::of),
        interface: spec.interface.as_ref().map(Place::of),
        mac: spec.mac.as_ref().map(Place::of),
        serial: spec.serial.as_ref().map(Place::of),
        protected_disks: Rc::new(placed_all(&spec.protected_disks)),
        flash_target: spec.flash_target.as_ref().map(|at| Placed::new(at.value.clone(), Place::of(at))),
        preset: common.preset,
    };
    insert(nodes, DraftNode { node, origin }, findings);
}

fn group(
    (name, spec): (&At<String>, &GroupSpec),
    (roles, cluster): (&Roles<'_>, &ClusterCard<'_>),
    nodes: &mut DraftNodes,
    findings: &mut Findings,
) {
    let common = common(Place::of(name), roles.merge(0, &spec.preset(), findings), cluster, findings);
    let names = expand(&spec.names, findings);
    let addresses = expand(&spec.addresses, findings);
    let mesh = spec.mesh_addresses.as_ref().map(|at| expand(at, findings));
    let Some(names) = names else { return };
    let disks = Rc::new(placed_all(&spec.protected_disks));
    let nth = |list: Option<&Vec<String>>, index: usize| list.and_then(|list| list.get(index)).cloned();
    let told = findings.told();
    for (index, text) in names.iter().enumerate() {
        let Some(node_name) = node_name(text, Place::of(&spec.names), findings) else { continue };
        let mut node = common.template.clone();
        node.name = node_name;
        node.group = Some(name.value.clone());
        node.address = nth(addresses.as_ref(), index)
            .map_or(Ipv4Addr::UNSPECIFIED, |text| address(&text, Place::of(&spec.addresses), findings));
        node.mesh_address = spec.mesh_addresses.as_ref().and_then(|at| {
            nth(mesh.as_ref().and_then(Option::as_ref), index)
                .map(|text| address(&text, Place::of(at), findings))
        });
        node.interface = spec.interface.as_ref().map(|at| at.value.clone());
        node.protected_disks = spec.protected_disks.iter().map(|at| at.value.clone()).collect();
        let origin = Origin {
            name: Place::of(&spec.names),
            address: Some(Place::of(&spec.addresses)),
            mesh_address: spec.mesh_addresses.as_ref().map(Place::of),
            interface: spec.interface.as_ref().map(Place::of),
            mac: None,
            serial: None,
            protected_disks: Rc::clone(&disks),
            flash_target: None,
            preset: Rc::clone(&common.preset),
        };
        insert(nodes, DraftNode { node, origin }, findings);
    }
    // A word that is no range at all was told as what it is not.
    let lengths = [
        (Some(&spec.addresses), addresses.as_ref()),
        (spec.mesh_addresses.as_ref(), mesh.as_ref().and_then(Option::as_ref)),
    ];
    for (at, list) in lengths {
        if let (Some(at), Some(list)) = (at, list)
            && list.len() != names.len()
            && findings.told() == told
        {
            let message = format!("{} addresses for {} names", list.len(), names.len());
            findings
                .at(&rule::RANGE_LENGTH, Place::of(at), message)
                .related(Place::of(&spec.names), format!("{} names", names.len()));
        }
    }
}

fn placed_all(list: &[At<String>]) -> Vec<Placed<String>> {
    list.iter().map(|at| Placed::new(at.value.clone(), Place::of(at))).collect()
}

fn expand(at: &At<String>, findings: &mut Findings) -> Option<Vec<String>> {
    if at.span.is_empty() {
        return None;
    }
    match range::expand(&at.value) {
        Ok(list) => Some(list),
        Err(why) => {
            findings.at(&rule::RANGE, Place::of(at), format!("`{}` is not a range: {why}", at.value));
            None
        }
    }
}

/// The typed name, unless it is none; also refuses the names every fresh card has.
fn node_name(text: &str, place: Place, findings: &mut Findings) -> Option<NodeName> {
    if matches!(text.to_ascii_lowercase().as_str(), "raspberrypi" | "localhost") {
        findings.at(&rule::DEFAULT_NAME, place, format!("every fresh card is called `{text}`"));
        return None;
    }
    match text.parse() {
        Ok(name) => Some(name),
        Err(invalid) => {
            // Case alone is no reason to lose the node: whoever refers to it is judged by the name that was meant.
            let finding = findings.at(&rule::NODE_NAME, place, invalid.to_string());
            let lower = text.to_ascii_lowercase();
            let name = lower.parse::<NodeName>().ok();
            if name.is_some() {
                finding.help(format!("write `{lower}`"));
            }
            name
        }
    }
}

pub(crate) fn address(text: &str, place: Place, findings: &mut Findings) -> Ipv4Addr {
    text.parse().unwrap_or_else(|_| {
        findings.at(&network::ADDRESS, place, format!("`{text}` is not an IPv4 address"));
        Ipv4Addr::UNSPECIFIED
    })
}

/// A mark that a machine carries from its maker.
fn mark<T: std::str::FromStr<Err = Invalid>>(
    at: &At<String>,
    rule: &'static Rule,
    findings: &mut Findings,
) -> Option<T> {
    match at.value.parse() {
        Ok(mark) => Some(mark),
        Err(Invalid { what, value, why }) => {
            findings.at(rule, Place::of(at), format!("`{value}` is not a {what}: {why}"));
            None
        }
    }
}

fn incomplete(who: &str, what: &str, place: Place, findings: &mut Findings) {
    findings
        .at(&rule::INCOMPLETE_NODE, place, format!("`{who}` has no `{what}`"))
        .help(format!("write `{what}` here or in one of its roles"));
}

fn insert(nodes: &mut DraftNodes, draft: DraftNode, findings: &mut Findings) {
    if let Some(first) = nodes.get(&draft.node.name) {
        let message = format!("there is already a node `{}`", draft.node.name);
        findings
            .at(&rule::DUPLICATE_NAME, draft.origin.name, message)
            .related(first.origin.name, "the first one is named here");
        return;
    }
    nodes.insert(draft.node.name.clone(), draft);
}

/// Types what a preset says; what cannot be typed is reported and left out.
fn common(place: Place, mut preset: Preset, cluster: &ClusterCard<'_>, findings: &mut Findings) -> Common {
    preset.card.lay_under(cluster.card);
    let who = "this node";
    // What an unknown role would have brought is not missed here.
    let roles_are_known = !preset.is_doubtful;
    let told = findings.told();
    let capabilities = capabilities(&preset, findings);
    let arch = arch(&preset, place, findings);
    if preset.os.is_none() && roles_are_known {
        incomplete(who, "os", place, findings);
    }
    preset.is_doubtful |= findings.told() > told;
    let text = |slot: &Option<Placed<String>>| slot.as_ref().map(|placed| placed.value.clone());
    let values = |list: &[Placed<String>]| list.iter().map(|placed| placed.value.clone()).collect();
    let table = |table: &BTreeMap<String, (Place, Placed<String>)>| {
        table.iter().map(|(key, (_, value))| (key.clone(), value.value.clone())).collect()
    };
    let template = Node {
        // Replaced by the caller; a template is never seen.
        name: super::placeholder_name(),
        arch,
        os: operating_system(&preset),
        board: preset.board.as_ref().map(|board| board.value),
        address: Ipv4Addr::UNSPECIFIED,
        mesh_address: None,
        interface: None,
        identity: Identity::default(),
        roles: preset.roles.clone(),
        group: None,
        capabilities,
        k3s: preset.k3s.as_ref().map(|role| match role.value {
            K3sRoleSpec::FirstServer => K3sRole::FirstServer,
            K3sRoleSpec::Server => K3sRole::Server,
            K3sRoleSpec::Agent => K3sRole::Agent,
        }),
        labels: table(&preset.labels),
        taints: preset.taints.iter().filter_map(|placed| taint::parse(placed, findings)).collect(),
        kubelet: Kubelet {
            system_reserved: text(&preset.kubelet.system_reserved),
            kube_reserved: text(&preset.kubelet.kube_reserved),
            eviction_hard: text(&preset.kubelet.eviction_hard),
            max_pods: preset.kubelet.max_pods.as_ref().map(|placed| placed.value),
        },
        packages: values(&preset.packages),
        kernel_modules: values(&preset.kernel_modules),
        sysctl: table(&preset.sysctl),
        power: preset.power.as_ref().map_or(Power::AlwaysOn, |power| power.value),
        root_medium: preset.root_medium.as_ref().map(|medium| medium.value),
        page_size: preset.page_size.as_ref().map(|size| size.value),
        protected_disks: BTreeSet::new(),
        flash_target: None,
        card: card(&preset, cluster.admin_user, findings),
    };
    Common { preset: Rc::new(preset), template }
}

/// The architecture; a placeholder where none was understood, which has been told.
fn arch(preset: &Preset, place: Place, findings: &mut Findings) -> Arch {
    match &preset.arch {
        Some(arch) => arch.value.parse().unwrap_or_else(|invalid: desired::Invalid| {
            findings.at(&shape::UNKNOWN_CHOICE, arch.place, invalid.to_string());
            Arch::Amd64
        }),
        None => {
            // What an unknown role would have brought is not missed here.
            if !preset.is_doubtful {
                incomplete("this node", "arch", place, findings);
            }
            Arch::Amd64
        }
    }
}

/// The system as written; a placeholder if nothing was, which has been told.
fn operating_system(preset: &Preset) -> Os {
    preset.os.as_ref().map_or(
        Os { family: OsFamily::Debian, release: String::new(), wsl: None, selinux: false },
        |os| Os {
            family: os.family.value,
            release: os.release.value.clone(),
            wsl: os.wsl.as_ref().map(|wsl| wsl.value.clone()),
            selinux: os.selinux,
        },
    )
}

fn capabilities(preset: &Preset, findings: &mut Findings) -> BTreeSet<Capability> {
    let mut known = BTreeSet::new();
    for placed in &preset.capabilities {
        if let Ok(capability) = placed.value.parse() {
            known.insert(capability);
            continue;
        }
        let message = format!("there is no capability `{}`", placed.value);
        let finding = findings.at(&rule::UNKNOWN_CAPABILITY, placed.place, message);
        if let Some(near) =
            crate::finding::nearest(&placed.value, Capability::ALL.iter().map(|one| one.as_str()))
        {
            finding.help(format!("did you mean `{near}`?"));
        }
    }
    known
}
