//! Roles merged in order into what a node is built from; every value keeps the place it was written at.

use std::collections::BTreeMap;

use super::card::CardPreset;
use super::place::{FileIndex, Findings, Place, Placed};
use crate::finding::rules::node as rule;
use crate::spec::{
    At, Board, K3sRoleSpec, MediumKind, Named, OsFamily, PageSize, Power, PresetView, RoleSpec,
};

/// Everything roles and a node said, merged: lists and tables grow, single values are the last one written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preset {
    /// Names of the roles, each once, in the order they were merged.
    pub(crate) roles: Vec<String>,
    pub(crate) capabilities: Vec<Placed<String>>,
    pub(crate) k3s: Option<Placed<K3sRoleSpec>>,
    pub(crate) labels: BTreeMap<String, (Place, Placed<String>)>,
    pub(crate) taints: Vec<Placed<String>>,
    pub(crate) kubelet: KubeletPreset,
    pub(crate) packages: Vec<Placed<String>>,
    pub(crate) kernel_modules: Vec<Placed<String>>,
    pub(crate) sysctl: BTreeMap<String, (Place, Placed<String>)>,
    pub(crate) power: Option<Placed<Power>>,
    pub(crate) os: Option<OsPreset>,
    pub(crate) arch: Option<Placed<String>>,
    pub(crate) board: Option<Placed<Board>>,
    pub(crate) root_medium: Option<Placed<MediumKind>>,
    pub(crate) page_size: Option<Placed<PageSize>>,
    pub(crate) card: CardPreset,
    /// Something of the roles, capabilities or the system was not understood, and told: what is not here may be meant.
    pub(crate) is_doubtful: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct KubeletPreset {
    pub(crate) system_reserved: Option<Placed<String>>,
    pub(crate) kube_reserved: Option<Placed<String>>,
    pub(crate) eviction_hard: Option<Placed<String>>,
    pub(crate) max_pods: Option<Placed<u32>>,
}

/// An operating system is taken as a whole: a release only means something with its family.
#[derive(Debug, Clone)]
pub(crate) struct OsPreset {
    pub(crate) family: Placed<OsFamily>,
    pub(crate) release: Placed<String>,
    pub(crate) wsl: Option<Placed<String>>,
    pub(crate) selinux: bool,
}

pub(super) fn placed<T: Clone>(file: FileIndex, at: &At<T>) -> Placed<T> {
    Placed::new(at.value.clone(), Place::new(file, &at.span))
}

pub(super) fn take<T: Clone>(slot: &mut Option<Placed<T>>, file: FileIndex, value: Option<&At<T>>) {
    if let Some(at) = value {
        *slot = Some(placed(file, at));
    }
}

pub(super) fn extend(list: &mut Vec<Placed<String>>, file: FileIndex, more: &[At<String>]) {
    for at in more {
        if !list.iter().any(|have| have.value == at.value) {
            list.push(placed(file, at));
        }
    }
}

fn overlay(table: &mut BTreeMap<String, (Place, Placed<String>)>, file: FileIndex, more: &Named<At<String>>) {
    for (key, value) in more {
        table.insert(key.value.clone(), (Place::new(file, &key.span), placed(file, value)));
    }
}

impl Preset {
    /// Lays what `view` says, itself and not its roles, over what is there.
    fn lay_over(&mut self, file: FileIndex, view: &PresetView<'_>) {
        extend(&mut self.capabilities, file, view.capabilities);
        extend(&mut self.taints, file, view.taints);
        extend(&mut self.packages, file, view.packages);
        extend(&mut self.kernel_modules, file, view.kernel_modules);
        overlay(&mut self.labels, file, view.labels);
        overlay(&mut self.sysctl, file, view.sysctl);
        take(&mut self.k3s, file, view.k3s);
        self.is_doubtful |= view.k3s.is_some_and(|at| at.span.is_empty());
        take(&mut self.power, file, view.power);
        take(&mut self.arch, file, view.arch);
        take(&mut self.board, file, view.board);
        take(&mut self.root_medium, file, view.root_medium);
        take(&mut self.page_size, file, view.page_size);
        if let Some(card) = view.card {
            self.card.lay_over(file, card);
        }
        if let Some(kubelet) = view.kubelet {
            take(&mut self.kubelet.system_reserved, file, kubelet.system_reserved.as_ref());
            take(&mut self.kubelet.kube_reserved, file, kubelet.kube_reserved.as_ref());
            take(&mut self.kubelet.eviction_hard, file, kubelet.eviction_hard.as_ref());
            take(&mut self.kubelet.max_pods, file, kubelet.max_pods.as_ref());
        }
        if let Some(os) = view.os {
            self.os = Some(OsPreset {
                family: placed(file, &os.family),
                release: placed(file, &os.release),
                wsl: os.wsl.as_ref().map(|wsl| placed(file, wsl)),
                selinux: os.selinux,
            });
        }
    }
}

/// A role and the file it is written in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role<'a> {
    pub(crate) file: FileIndex,
    pub(crate) name: Place,
    pub(crate) spec: &'a RoleSpec,
}

/// All roles a cluster can name.
#[derive(Debug, Default)]
pub(crate) struct Roles<'a>(pub(crate) BTreeMap<&'a str, Role<'a>>);

impl Roles<'_> {
    /// Merges the roles of `view` depth first in order, then `view` itself.
    pub(crate) fn merge(&self, file: FileIndex, view: &PresetView<'_>, findings: &mut Findings) -> Preset {
        let mut preset = Preset::default();
        self.merge_into(&mut preset, file, view, &mut Vec::new(), findings);
        preset
    }

    fn merge_into<'s>(
        &'s self,
        preset: &mut Preset,
        file: FileIndex,
        view: &PresetView<'s>,
        path: &mut Vec<&'s str>,
        findings: &mut Findings,
    ) {
        for at in view.roles {
            let Some(role) = self.0.get(at.value.as_str()) else {
                self.unknown(file, at, findings);
                preset.is_doubtful = true;
                continue;
            };
            if path.contains(&at.value.as_str()) {
                self.cycle(file, at, path, findings);
                preset.is_doubtful = true;
                continue;
            }
            path.push(&at.value);
            self.merge_into(preset, role.file, &role.spec.preset(), path, findings);
            path.pop();
            if !preset.roles.contains(&at.value) {
                preset.roles.push(at.value.clone());
            }
        }
        preset.lay_over(file, view);
    }

    fn unknown(&self, file: FileIndex, at: &At<String>, findings: &mut Findings) {
        let finding = findings.at(
            &rule::UNKNOWN_ROLE,
            Place::new(file, &at.span),
            format!("there is no role `{}`", at.value),
        );
        if let Some(near) = crate::finding::nearest(&at.value, self.0.keys().copied()) {
            finding.help(format!("did you mean `{near}`?"));
        } else if !self.0.is_empty() {
            let known: Vec<&str> = self.0.keys().copied().collect();
            finding.help(format!("roles are {}", known.join(", ")));
        }
    }

    fn cycle(&self, file: FileIndex, at: &At<String>, path: &[&str], findings: &mut Findings) {
        let from = path.iter().position(|name| *name == at.value).unwrap_or(0);
        let circle: Vec<&str> = path[from..].iter().copied().chain([at.value.as_str()]).collect();
        let message = format!("roles include one another in a circle: {}", circle.join(" → "));
        let finding = findings.at(&rule::ROLE_CYCLE, Place::new(file, &at.span), message);
        if let Some(role) = self.0.get(at.value.as_str()) {
            finding.related(role.name, "the circle begins with this role");
        }
    }
}
