"""The manifests of deploy/kubernetes: valid by the published schemas, in agreement with each other,
and with the program they start.

Unknown names are errors here, which the API server would only warn of: a misspelt probe is none.
"""
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from deployment import ROOT, help_of

FOLDER = ROOT / "deploy" / "kubernetes"
NODE_MODULES = ROOT / "build" / "npm" / "node_modules"
KINDS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Service": "io.k8s.api.core.v1.Service",
    "HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
}


def strict(schema):
    """A schema with references into one document, which takes no name that it does not list."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("$ref"), str):
        schema["$ref"] = "#/definitions/" + schema["$ref"].rstrip("#")
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


@pytest.fixture(scope="session")
def definitions():
    script = Path(__file__).parent / "kubernetes_schemas.js"
    done = subprocess.run(["node", script, NODE_MODULES], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    assert len(found) > 500
    return {name: strict(schema) for name, schema in found.items()}


@pytest.fixture(scope="session")
def manifests():
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            assert document["kind"] not in found
            found[document["kind"]] = document
    assert set(found) == set(KINDS)
    return found


def errors_of(manifest, definitions):
    schema = {"$ref": "#/definitions/" + KINDS[manifest["kind"]], "definitions": definitions}
    found = jsonschema.Draft7Validator(schema).iter_errors(manifest)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


@pytest.mark.parametrize("kind", KINDS)
def test_valid(kind, manifests, definitions):
    assert errors_of(manifests[kind], definitions) == []


def test_the_check_can_fail(manifests, definitions):
    def broken(change):
        copy = json.loads(json.dumps(manifests["Deployment"]))
        change(copy["spec"]["template"]["spec"], copy)
        return errors_of(copy, definitions)

    assert not broken(lambda pod, whole: None)
    assert broken(lambda pod, whole: pod.update(terminationGracePeriod=60))
    assert broken(lambda pod, whole: pod.update(terminationGracePeriodSeconds="long"))
    assert broken(lambda pod, whole: pod["containers"][0].pop("name"))
    assert broken(lambda pod, whole: pod["containers"][0]["readinessProbe"]["httpGet"].pop("port"))
    assert broken(lambda pod, whole: whole["spec"].pop("selector"))
    assert broken(lambda pod, whole: whole.update(apiVersion="apps/v1beta1"))


def test_they_speak_of_the_same_pods(manifests):
    deployment = manifests["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": deployment["apiVersion"], "kind": "Deployment",
                      "name": deployment["metadata"]["name"]}  # fmt: skip
    assert "replicas" not in deployment["spec"], "applying it would undo the autoscaler"


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def test_the_pod_has_time_to_drain(manifests):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    args = pod["containers"][0]["args"]
    delay = seconds(args[args.index("--drain-delay") + 1])
    drain = seconds(args[args.index("--timeout-drain") + 1])
    assert delay >= 5 and pod["terminationGracePeriodSeconds"] >= delay + drain + 15
    assert "lifecycle" not in pod["containers"][0], "no preStop hook is needed"


def test_ports_and_probes_agree(manifests):
    container = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    args = container["args"]
    assert args[args.index("--listen") + 1] == f":{ports['http']}"
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] in ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (how,) = [container[probe][key] for key in ("httpGet", "tcpSocket") if key in container[probe]]
        assert how["port"] in ports
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert args[-1] == mounts["site"]["mountPath"] and mounts["site"]["readOnly"]


def test_the_pod_is_nobody(manifests):
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    inner = pod["containers"][0]["securityContext"]
    assert inner["readOnlyRootFilesystem"] and inner["capabilities"] == {"drop": ["ALL"]}
    assert inner["allowPrivilegeEscalation"] is False


def test_every_flag_is_there(manifests):
    args = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    known = help_of(args[0])
    for flag in (arg for arg in args if arg.startswith("--")):
        assert re.search(rf"(^|[ ,]){flag}\b", known, re.M), flag


# What a process holds beside what its peers make it keep, with its caches at rest; and the least
# that --max-memory may be.
PROCESS_MIB = 16
SHARE_MIB_MIN = 16


def test_the_limit_of_memory_is_above_what_its_workers_may_hold(manifests):
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    limits = container["resources"]["limits"]
    memory, workers = int(limits["memory"].removesuffix("Mi")), int(limits["cpu"])
    # No argument says a size, so each worker's share follows from the limit.
    assert not any(argument.startswith(("--max-memory", "--workers", "-w")) for argument in container["args"])
    share = memory * 3 // 4 // workers
    assert share >= SHARE_MIB_MIN
    assert share * workers + PROCESS_MIB * (workers + 1) <= memory
