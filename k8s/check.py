"""Checks the Kubernetes manifests and the alert rules, offline. Exits with 1 and says everything that is wrong.

    check.py            checks what is rendered
    check.py --render   renders first, with `kubectl kustomize`

What kustomize renders is kept in k8s/rendered, so that a change shows what becomes of it, and so that checking needs no kubectl.
Each rendering says from which sources it came; one that is older than its sources is a fault.
"""

import copy
import hashlib
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

K8S = pathlib.Path(__file__).resolve().parent
ROOT = K8S.parent
RENDERED = K8S / "rendered"
RULES = ROOT / "alerts/tocsin.rules.yaml"
PROMETHEUS_RULE = K8S / "components/monitoring/prometheus-rule.yaml"
OVERLAYS = ("single", "ha")
KUBERNETES = "1.32"
# The most that a service may take to end (crates/service/src/config.rs).
MOST_SECONDS_TO_END = 30
# Secrets that people make (k8s/README.md).
GIVEN_SECRETS = {"tocsin-ingest", "tocsin-worker", "tocsin-notifier", "tocsin-api", "tocsin-migrate", "redis", "postgres"}

faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


# --- Rendering -------------------------------------------------------------------------------------------------------


def sources_hash():
    digest = hashlib.sha256()
    files = [path for path in K8S.rglob("*") if path.suffix in {".yaml", ".env"} and RENDERED not in path.parents]
    for path in sorted(files):
        digest.update(f"{path.relative_to(K8S)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def prometheus_rule():
    """The alert rules as the operator's resource, so that they are written once."""
    head = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "tocsin"}}
    body = yaml.safe_dump({**head, "spec": yaml.safe_load(RULES.read_text())}, sort_keys=False, width=1000)
    return f"# Made of alerts/tocsin.rules.yaml by `./dev manifests --render`.\n{body}"


def render():
    PROMETHEUS_RULE.write_text(prometheus_rule())
    RENDERED.mkdir(exist_ok=True)
    for overlay in OVERLAYS:
        command = ["kubectl", "kustomize", str(K8S / "overlays" / overlay)]
        text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        (RENDERED / f"{overlay}.yaml").write_text(f"# Rendered by `./dev manifests --render`. Sources: {sources_hash()}\n{text}")


# --- What every resource must be -------------------------------------------------------------------------------------

# The operator's resources have no schema in Kubernetes' own; these are the fields that we use.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["selector", "endpoints"],
    "additionalProperties": False,
    "properties": {
        "selector": {"type": "object", "required": ["matchLabels"]},
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "port": {"type": "string"},
                    "path": {"type": "string"},
                    "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                    "relabelings": {"type": "array"},
                },
            },
        },
    },
}


def check_schema(where, resource):
    if resource["apiVersion"].startswith("monitoring.coreos.com/"):
        if resource["kind"] == "ServiceMonitor":
            for error in jsonschema.Draft202012Validator(SERVICE_MONITOR).iter_errors(resource["spec"]):
                fault(where, error.message)
        return
    try:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        fault(where, f"{'.'.join(map(str, error.path))}: {error.message}")


def pod_template(resource):
    return resource["spec"]["template"] if resource["kind"] in {"Deployment", "StatefulSet", "Job"} else None


def check_pod(where, resource):
    template = pod_template(resource)
    pod = template["spec"]
    security = pod.get("securityContext", {})
    if not security.get("runAsNonRoot") or security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        fault(where, "runs as root, or without the runtime's seccomp profile")
    if pod.get("automountServiceAccountToken") is not False:
        fault(where, "has a token of the Kubernetes API, which it does not need")
    for container in pod["containers"]:
        allowed = container.get("securityContext", {})
        if allowed.get("allowPrivilegeEscalation") is not False or not allowed.get("readOnlyRootFilesystem"):
            fault(where, f"{container['name']} can gain privileges or write to its root")
        if allowed.get("capabilities", {}).get("drop") != ["ALL"]:
            fault(where, f"{container['name']} keeps capabilities")
        if "memory" not in container.get("resources", {}).get("limits", {}):
            fault(where, f"{container['name']} has no limit of memory")
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        claims = {claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", [])}
        for missing in mounted - {volume["name"] for volume in pod.get("volumes", [])} - claims:
            fault(where, f"{container['name']} mounts {missing}, which there is not")
        if resource["kind"] == "Job":
            continue
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                fault(where, f"{container['name']} has no {probe}")
    if resource["kind"] == "Deployment":
        check_service_pod(where, pod)


def check_service_pod(where, pod):
    (container,) = pod["containers"]
    paths = [container.get(probe, {}).get("httpGet", {}).get("path") for probe in ("livenessProbe", "readinessProbe")]
    if paths != ["/health", "/ready"]:
        fault(where, f"is probed at {paths}")
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    if pod.get("terminationGracePeriodSeconds", 30) <= MOST_SECONDS_TO_END + int(hook[1]):
        fault(where, "is killed before it can have ended")
    if not pod.get("topologySpreadConstraints"):
        fault(where, "may be on one node alone")


def check_references(where, resource, by_kind):
    """What a resource names must be there."""
    labels = [pod_template(other)["metadata"]["labels"] for other in by_kind["pods"]]
    spec = resource.get("spec", {})
    if resource["kind"] in {"Service", "PodDisruptionBudget"}:
        wanted = spec["selector"] if resource["kind"] == "Service" else spec["selector"]["matchLabels"]
        if not any(wanted.items() <= has.items() for has in labels):
            fault(where, "selects no pod")
    if resource["kind"] == "ServiceMonitor":
        wanted = spec["selector"]["matchLabels"]
        if not any(wanted.items() <= other["metadata"].get("labels", {}).items() for other in by_kind["Service"]):
            fault(where, "selects no service")
    if resource["kind"] == "HorizontalPodAutoscaler":
        target = spec["scaleTargetRef"]["name"]
        scaled = [other for other in by_kind["Deployment"] if other["metadata"]["name"] == target]
        if len(scaled) != 1 or "replicas" in scaled[0]["spec"]:
            fault(where, f"scales {target}, which there is not, or whose number is fixed as well")
    if resource["kind"] == "Ingress":
        services = {other["metadata"]["name"] for other in by_kind["Service"]}
        for rule in spec["rules"]:
            for path in rule["http"]["paths"]:
                if path["backend"]["service"]["name"] not in services:
                    fault(where, f"sends {path['path']} to a service that there is not")
        public = {other["data"]["TOCSIN_PUBLIC_URL"] for other in by_kind["ConfigMap"] if "TOCSIN_PUBLIC_URL" in other["data"]}
        if public != {f"https://{rule['host']}" for rule in spec["rules"]}:
            fault(where, f"its host is not that of TOCSIN_PUBLIC_URL: {', '.join(public) or 'which is not set'}")
    if pod_template(resource):
        maps = {other["metadata"]["name"] for other in by_kind["ConfigMap"]}
        for volume in pod_template(resource)["spec"].get("volumes", []):
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                fault(where, f"mounts a ConfigMap that there is not: {volume['configMap']['name']}")
            if "secret" in volume and volume["secret"]["secretName"] not in GIVEN_SECRETS:
                fault(where, f"mounts a secret that nobody is told to make: {volume['secret']['secretName']}")


def check_rendering(overlay):
    path = RENDERED / f"{overlay}.yaml"
    text = path.read_text() if path.exists() else ""
    if sources_hash() not in text.split("\n", 1)[0]:
        fault(path.relative_to(ROOT), "is older than its sources; run: ./dev manifests --render")
        return
    resources = [resource for resource in yaml.safe_load_all(text) if resource]
    by_kind = {"pods": [resource for resource in resources if pod_template(resource)]}
    for resource in resources:
        by_kind.setdefault(resource["kind"], []).append(resource)
    for resource in resources:
        where = f"{overlay}: {resource['kind']}/{resource['metadata']['name']}"
        check_schema(where, copy.deepcopy(resource))
        check_references(where, resource, by_kind)
        if pod_template(resource):
            check_pod(where, resource)
    print(f"{overlay}: {len(resources)} resources")


# --- Alerts ----------------------------------------------------------------------------------------------------------


def check_alerts():
    """Every metric is one that a service has, every outcome one that there is, and every alert is explained."""
    if not PROMETHEUS_RULE.exists() or PROMETHEUS_RULE.read_text() != prometheus_rule():
        fault(PROMETHEUS_RULE.relative_to(ROOT), "differs from alerts/tocsin.rules.yaml; run: ./dev manifests --render")
    sources = [*ROOT.glob("services/*/src/**/*.rs"), *ROOT.glob("crates/*/src/**/*.rs")]
    code = "\n".join(path.read_text() for path in sources)
    operations = (ROOT / "docs/OPERATIONS.md").read_text()
    headings = re.findall(r"^#+ (.+)$", operations, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        where = rule["alert"]
        for metric in re.findall(r"\btocsin_[a-z_]+", rule["expr"]):
            if f'"{re.sub("_(bucket|count|sum)$", "", metric)}"' not in code:
                fault(where, f"asks for {metric}, which nobody measures")
        for outcome in re.findall(r'outcome="([a-z_]+)"', rule["expr"]):
            if f'"{outcome}"' not in code:
                fault(where, f"asks for the outcome {outcome}, which there is not")
        anchor = rule["annotations"]["runbook_url"].split("#")[1]
        if anchor not in anchors:
            fault(where, f"docs/OPERATIONS.md has no section {anchor}")
    print(f"{len(rules)} alerts")


if __name__ == "__main__":
    if "--render" in sys.argv[1:]:
        render()
    for overlay in OVERLAYS:
        check_rendering(overlay)
    check_alerts()
    for line in faults:
        print(f"fault: {line}", file=sys.stderr)
    sys.exit(1 if faults else 0)
