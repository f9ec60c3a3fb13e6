"""The Kubernetes manifests: right by the cluster's own schemas, and as confined as compose's."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.service.rig import ROOT
from tests.service.test_compose import SERVICES, shell

kubernetes_validate = pytest.importorskip("kubernetes_validate")

FOLDER = ROOT / "deploy" / "kubernetes"
Manifest = dict[str, Any]


def manifests(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


ALL = [(path.name, each) for path in sorted(FOLDER.glob("*.yaml")) for each in manifests(path)]
WORKLOADS = {
    each["metadata"]["name"]: each["spec"]["template"]
    for _, each in ALL
    if each["kind"] in ("Deployment", "StatefulSet")
}
POLICIES = [each for _, each in ALL if each["kind"] == "NetworkPolicy"]


def container(name: str) -> Manifest:
    (only,) = WORKLOADS[name]["spec"]["containers"]
    return dict(only)


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_every_manifest_fits_the_schema_and_has_no_field_that_it_does_not_know(
    version: str,
) -> None:
    for _, each in ALL:
        kubernetes_validate.validate(each, version, strict=True)
    wrong = {**ALL[0][1], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_fleet_has_all_parts_of_compose_and_one_place() -> None:
    assert set(WORKLOADS) == {"coordinator", "worker", "page", "postgres", "valkey"}
    for file, each in ALL:
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == "stage2fuzz", file


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_pod_has_its_rights_taken_away_and_its_limits(name: str) -> None:
    spec, only = WORKLOADS[name]["spec"], container(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(only["resources"]["limits"])
    assert {"cpu", "memory"} <= set(only["resources"]["requests"])
    assert {"readinessProbe", "livenessProbe"} <= set(only)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all("hostPath" not in each for each in spec.get("volumes", ()))


def test_what_a_pod_mounts_is_there_and_is_bounded() -> None:
    claims = {"postgres": {"database"}}
    for name, template in WORKLOADS.items():
        volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        mounts = {each["name"] for each in container(name)["volumeMounts"]}
        assert mounts == set(volumes) | claims.get(name, set()), name
        assert all(each["emptyDir"]["sizeLimit"] for each in volumes.values()), name


def test_passwords_come_from_one_secret_that_is_not_in_the_repository() -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("*.yaml"))
    assert not [each for _, each in ALL if each["kind"] == "Secret"]
    keys = set(re.findall(r"secretKeyRef: \{name: stage2fuzz, key: ([\w-]+)\}", text))
    assert text.count("secretKeyRef") == len(re.findall(r"secretKeyRef: \{name: stage2fuzz,", text))
    told = (ROOT / "docs" / "operations.md").read_text()
    assert keys == set(re.findall(r"--from-literal ([\w-]+)=", told))


def test_services_lead_to_pods_and_policies_name_pods_and_open_ports() -> None:
    labels = [each["metadata"]["labels"] for each in WORKLOADS.values()]
    ports = {
        port["containerPort"] for name in WORKLOADS for port in container(name).get("ports", ())
    }

    def found(selector: dict[str, str]) -> bool:
        return any(selector.items() <= each.items() for each in labels)

    for _, each in ALL:
        if each["kind"] == "Service":
            assert found(each["spec"]["selector"]), each["metadata"]["name"]
            assert {port["port"] for port in each["spec"]["ports"]} <= ports
    for policy in POLICIES:
        selector = policy["spec"]["podSelector"]
        assert not selector or found(selector["matchLabels"]), policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= ports


def test_nothing_is_reached_that_no_policy_names() -> None:
    (nothing,) = [each for each in POLICIES if each["metadata"]["name"] == "nothing"]
    assert nothing["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    out = [each for each in POLICIES if each["spec"].get("egress")]
    assert [each["metadata"]["name"] for each in out] == ["to-servers"]
    text = (FOLDER / "network.yaml").read_text()
    assert "ipBlock" not in text, "no address outside the cluster"


def test_ours_are_started_as_compose_starts_them() -> None:
    for name in ("coordinator", "page"):
        assert container(name)["command"] == SERVICES[name]["command"]
    assert container("worker")["command"][:2] == ["sh", "-c"]
    assert container("worker")["command"][2].split() == shell("worker").split()
    for name in ("coordinator", "worker", "page"):
        given = {each["name"] for each in container(name)["env"]}
        wanted = {each for each in SERVICES[name]["environment"] if each.startswith("STAGE2FUZZ")}
        needless = {"STAGE2FUZZ_METRICS"} if name != "coordinator" else set()
        needless |= {"STAGE2FUZZ_BROKER", "STAGE2FUZZ_ALIVE"} if name == "page" else set()
        assert wanted - needless == {each for each in given if each.startswith("STAGE2FUZZ")}, name
