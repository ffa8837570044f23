//! RS6xx: services.

use crate::finding::rule::rules;

rules! {
    NO_PLACE Error "RS601" "service-without-node" {
        title: "A Compose or package service has nodes",
        why: "Nothing schedules it; without a node it runs nowhere.",
        bad: "kind = \"compose\" without nodes",
        fix: "Name nodes, groups or roles in nodes.",
        source: "PEERS 7.1 (compose services)"
    }
    IMAGE_TAG Error "RS602" "image-tag" {
        title: "An image has a version",
        why: "`latest` is another image tomorrow; two nodes then run two versions, and a rebuild is not the same.",
        bad: "images = { gitea = \"gitea/gitea:latest\" }",
        fix: "Write name:version, or name@sha256:….",
        source: "FIELD X3, PEERS 7.3 #11"
    }
    PORT Error "RS603" "port" {
        title: "Ports are written host:container",
        why: "Compose reads a lone number as a random host port, and a number above 65535 not at all.",
        bad: "ports = [\"3300\"]",
        fix: "Write 3300:3000, optionally with an address before it and /udp behind it.",
        source: "Compose specification: ports"
    }
    PORT_CONFLICT Error "RS604" "port-conflict" {
        title: "No two services of a node publish one port",
        why: "The second does not start: `port is already allocated`.",
        bad: "two services with ports = [\"80:80\"] on one node",
        fix: "Change one host port.",
        source: "PEERS 7.1 (ports free)"
    }
    DOMAIN_CONFLICT Error "RS605" "domain-conflict" {
        title: "No two services answer to one name",
        why: "The reverse proxy takes the first it finds; the other is unreachable.",
        bad: "domains = [\"git.ism.la\"] in two services",
        fix: "Give one of them another name.",
        source: "PEERS 7.1 (duplicate backends)"
    }
    DOMAIN Error "RS606" "domain" {
        title: "Domains are DNS names",
        why: "They go into proxy configuration, certificates and DNS records.",
        bad: "domains = [\"https://git.ism.la/\"]",
        fix: "Write the bare name in lower case, git.ism.la.",
        source: "RFC 1123 2.1"
    }
    UNKNOWN_SHARE Error "RS607" "unknown-share" {
        title: "A needed share exists",
        why: "The service would start without waiting for anything.",
        bad: "needs-shares = [\"fotress\"]",
        fix: "Write the name of a table [shares.NAME].",
        source: "FIELD M7"
    }
    SHARE_NOT_THERE Error "RS608" "share-not-there" {
        title: "A service runs where its shares are",
        why: "Docker creates the missing folder and the service writes gigabytes under the mount point.",
        bad: "needs-shares = [\"media\"] on a node that is no client of media",
        fix: "Add the node to the share's clients, or move the service.",
        source: "FIELD M7, X13"
    }
    VOLUME Error "RS609" "volume" {
        title: "Volumes are written source:target with absolute paths",
        why: "A relative source means another folder for each working directory, and a bare word a named volume nobody backs up.",
        bad: "volumes = [\"./data:/data\"]",
        fix: "Write /srv/gitea:/data, with :ro behind it for reading only.",
        source: "Compose specification: volumes"
    }
    DATABASE_ON_SHARE Error "RS610" "database-on-share" {
        title: "A database does not lie on a network share",
        why: "CIFS and squashed NFS cannot change owners and do not hold locks and fsync: `data directory has wrong ownership`, then corruption.",
        bad: "image postgres:17.6 with a volume under /mnt/fortress",
        fix: "Put it on a local disk and dump to the share.",
        source: "FIELD M12, X8, PEERS 7.3 #9"
    }
    WRONG_SIDE Error "RS611" "wrong-side-of-share" {
        title: "A volume uses the path its node has the share under",
        why: "On the server the share is its own folder, on a client the mount point; with the other's path Docker creates an empty folder on the root disk.",
        bad: "volumes = [\"/mnt/fortress/gitea:/data\"] on the node that serves fortress from /media/fortress",
        fix: "Write the server's folder on the server and the mount point on clients.",
        source: "PEERS 7.3 #8"
    }
    UNGATED_VOLUME Warning "RS612" "ungated-volume" {
        title: "A service names the shares its volumes lie on",
        why: "Only a named share is waited for at boot.",
        bad: "volumes = [\"/mnt/media:/media\"] without needs-shares",
        fix: "Add the share to needs-shares.",
        source: "FIELD M7, X13"
    }
    TIMEZONE_BIND Error "RS613" "timezone-bind" {
        title: "/etc/timezone is not bound into containers",
        why: "Debian 13 and Ubuntu 26.04 have no such file; Docker creates a folder of that name and the container fails.",
        bad: "volumes = [\"/etc/timezone:/etc/timezone:ro\"]",
        fix: "Set TZ in environment.",
        source: "FIELD D4, X9"
    }
    GPU_NODE Error "RS614" "gpu-node" {
        title: "A service with GPU runs where one is",
        why: "Elsewhere the container fails with `could not select device driver`.",
        bad: "gpu = true on a node without nvidia-gpu",
        fix: "Add nvidia-gpu to the node, or move the service.",
        source: "PEERS 7.1 (Ollama/Open-WebUI with GPU)"
    }
    NO_ENGINE Error "RS615" "no-engine" {
        title: "A Compose service runs where an engine is",
        why: "Without Docker, Docker Desktop or Podman nothing starts it.",
        bad: "kind = \"compose\" on a node without docker",
        fix: "Add docker, docker-desktop or podman to the node's capabilities.",
        source: "PEERS 7.2 (engine)"
    }
    SERVICE_KIND Error "RS616" "service-kind" {
        title: "A Kubernetes service runs in a Kubernetes cluster",
        why: "In a Compose cluster there is no API to take its manifests; on a node outside k3s it is never scheduled.",
        bad: "orchestrator = \"compose\" and kind = \"kubernetes\"",
        fix: "Change the kind, or place it on k3s nodes.",
        source: "PEERS 7.2 (orchestrator)"
    }
    SECRET_NAME Error "RS617" "secret-name" {
        title: "A secret's name reaches the program",
        why: "Infisical drops reserved names such as HOME and PATH with a warning; the program then starts without the value.",
        bad: "secrets = [\"PATH\"]",
        fix: "Use upper-case words with `_`, none of HOME, PATH, PWD, USER, SHELL, TERM, XDG_…, LC_….",
        source: "FIELD D14"
    }
    SECRETS_PATH Error "RS618" "secrets-path" {
        title: "Secrets have an absolute folder in the store",
        why: "Without --path Infisical reads the root folder and the names are not found.",
        bad: "secrets = [\"DB_PASSWORD\"] without secrets-path",
        fix: "Write secrets-path = \"/gitea\".",
        source: "FIELD D13"
    }
    QUANTITY Error "RS619" "quantity" {
        title: "Resource amounts are Kubernetes quantities",
        why: "The API refuses the whole manifest for one that it cannot parse.",
        bad: "memory-limit = \"512MB\"",
        fix: "CPU as 250m or 2, memory as 256Mi or 1Gi.",
        source: "Kubernetes: quantity"
    }
    DOCKER_SOCKET Error "RS620" "docker-socket" {
        title: "Kubernetes services do not use Docker's socket",
        why: "k3s runs containerd; there is no /var/run/docker.sock, so a folder of that name is made.",
        bad: "kind = \"kubernetes\", volumes = [\"/var/run/docker.sock:/var/run/docker.sock\"]",
        fix: "Use the Kubernetes API, or run the service by Compose.",
        source: "PEERS 7.1 (no docker.sock assumptions)"
    }
    RELABEL Error "RS621" "relabel-on-share" {
        title: "Volumes on shares are not relabelled",
        why: "NFS and CIFS hold no SELinux labels: `operation not supported`.",
        bad: "volumes = [\"/mnt/media:/media:Z\"] where /mnt/media is a share",
        fix: "Leave :Z and :z out; a share's context is a mount option.",
        source: "FIELD D11, X33, PEERS 7.3 #17"
    }
    NOT_TOLERATED Error "RS622" "not-tolerated" {
        title: "A Kubernetes service tolerates the taints of its nodes",
        why: "It would stay Pending on every node that it is meant for.",
        bad: "nodes = [\"k3s-w1\"] tainted storage=enabled:NoSchedule, tolerates = []",
        fix: "Add the taint's key to tolerates.",
        source: "FIELD L8, PEERS 7.3 #25"
    }
    SECRET_IS_SETTING Error "RS623" "secret-is-setting" {
        title: "A name is either a secret or a setting",
        why: "The plain setting wins over the injected value in Compose, and the service runs with the wrong one.",
        bad: "secrets = [\"DB_HOST\"], environment = { DB_HOST = \"db\" }",
        fix: "Keep it in one of the two lists.",
        source: "Compose: environment precedence"
    }
    COMPOSE_FILE Error "RS624" "compose-file" {
        title: "A service's compose.yaml is YAML and names services",
        why: "The node's Compose would refuse it at join, or start nothing and call that success.",
        bad: "services/gitea/compose.yaml that is empty, or indented with tabs",
        fix: "Write it as `docker compose config` accepts it, with a `services:` table.",
        source: "Compose specification, decision 0060"
    }
    MAIN_CONTAINER Error "RS625" "main-container" {
        title: "Of several containers one is the main one",
        why: "Ports, volumes and secrets of the service belong to one container; with none named they would be nobody's.",
        bad: "images = { ollama = \"…\", open-webui = \"…\" } in [services.mcp] without main",
        fix: "Write main = \"open-webui\", and a table [services.mcp.containers.ollama] for what is the other's.",
        source: "document 003, Phase 4; Compose specification: services"
    }
    CONTAINER Error "RS626" "container-table" {
        title: "A container's table is for one of the other images",
        why: "It would change nothing: the main container's settings stand in the service's own table, and a name that is no image starts nothing.",
        bad: "[services.gitea.containers.postgres] where images has gitea-db",
        fix: "Use the name from images; what is the main container's goes into the service's table.",
        source: "Compose specification: services"
    }
    SETTING_SECRET Error "RS627" "setting-secret" {
        title: "What a setting takes from a secret is one of the service's",
        why: "Compose would ask for a variable that nobody puts in.",
        bad: "environment = { DB_URL = \"postgres://me:${DB_PASSWORD}@db\" } without DB_PASSWORD in secrets",
        fix: "Add the name to secrets.",
        source: "FIELD D2"
    }
    SERVICE_NETWORK Error "RS628" "service-network" {
        title: "A network that a service names is one of the cluster's",
        why: "Nobody would create it: `network declared as external, but could not be found`. The network between a service's own containers needs no name.",
        bad: "networks = [\"gitea-internal\"] without [docker.networks] gitea-internal",
        fix: "Add it to [docker.networks] with its range, or take it out.",
        source: "FIELD D3, X10"
    }
    BARE_CONTAINER Warning "RS629" "bare-container" {
        title: "A container says how it is well, and how much memory it may take",
        why: "Without a check a hung program counts as up; without a limit one leak takes the whole node down.",
        bad: "images = { minio = \"…\" } without health-check and memory-limit",
        fix: "Write health-check = [\"mc\", \"ready\", \"local\"] and memory-limit = \"1Gi\".",
        source: "document 002, Standard Service Anatomy"
    }
    DOMAIN_PORT Error "RS630" "domain-without-port" {
        title: "A service with a domain publishes a port",
        why: "The reverse proxy leads a domain to the first published port; without one the name ends nowhere.",
        bad: "domains = [\"git.ism.la\"] without ports",
        fix: "Add ports, the one with the web interface first.",
        source: "document 003, Phase 3, 3 (backend)"
    }
    CLAIM Error "RS631" "claim" {
        title: "A claim says path, class, access mode and size",
        why: "The API refuses a claim without a size, and a shared folder that only one pod may write stops the second.",
        bad: "claims = { transcode = \"/transcode longhorn shared\" }",
        fix: "Write \"/transcode longhorn ReadWriteMany 50Gi\", with `each` behind it if every replica has its own.",
        source: "Kubernetes: PersistentVolumeClaim; document 001 (ClusterPlex)"
    }
    KUBERNETES_SETTING Error "RS632" "kubernetes-setting" {
        title: "Settings of a Kubernetes service have values that mean something",
        why: "A misspelt word would be left out: probes that restart the pod for ever, or a mount that the host never sees.",
        bad: "settings = { mount-propagation = \"both\" }",
        fix: "Write true or false; Deployment or StatefulSet for workload; HostToContainer or Bidirectional for mount-propagation.",
        source: "Kubernetes: mount propagation; document 001 (DFS Sharing, Decypharr Architecture)"
    }
    HALF_A_CHART Error "RS633" "half-a-chart" {
        title: "A chart has a repository and a version",
        why: "Without a version Flux installs whatever is newest on the day; without a repository nothing.",
        bad: "settings = { chart = \"longhorn\" }",
        fix: "Add chart-repository and chart-version; for CRDs from Git crds-repository, crds-tag and crds-path.",
        source: "document 004 (Deployment Model), Flux: HelmRelease"
    }
}
