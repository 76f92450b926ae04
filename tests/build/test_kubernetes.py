"""The manifest for Kubernetes says what the image and the program say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawmesh.api.listener import LOOPBACK
from clawmesh.api.site import PROBES
from clawmesh.config.load import parse
from clawmesh.version import VERSION
from image import DATA, HOME, PORT, USER

yaml = pytest.importorskip("yaml")
FILE = Path(__file__).resolve().parents[2] / "build" / "deploy" / "kubernetes.yaml"


@pytest.fixture(scope="module")
def parts() -> dict[tuple[str, str], Any]:
    """Return the objects of the manifest by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(FILE.read_text())}


@pytest.fixture(scope="module")
def pod(parts: dict[tuple[str, str], Any]) -> Any:
    return parts["StatefulSet", "clawmesh"]["spec"]["template"]["spec"]


def test_its_configuration_is_one(parts: dict[tuple[str, str], Any]) -> None:
    text = parts["ConfigMap", "clawmesh"]["data"]["clawmesh.toml"]
    config = parse(text, {"OPENAI_API_KEY": "x"})
    assert list(config.agents) == ["helper"]
    assert (config.api.host, config.api.port, config.api.insecure) == ("0.0.0.0", PORT, True)
    assert "clawmesh" in config.api.hosts


def test_its_objects_find_each_other(parts: dict[tuple[str, str], Any], pod: Any) -> None:
    stateful = parts["StatefulSet", "clawmesh"]["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    assert stateful["selector"]["matchLabels"].items() <= labels.items()
    for name in ("clawmesh", stateful["serviceName"]):
        service = parts["Service", name]["spec"]
        assert service["selector"].items() <= labels.items()
        assert [port["port"] for port in service["ports"]] == [PORT]
    assert ("ServiceAccount", pod["serviceAccountName"]) in parts
    volumes = {each["name"] for each in pod["volumes"]}
    volumes |= {each["metadata"]["name"] for each in stateful["volumeClaimTemplates"]}
    (container,) = pod["containers"]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert set(mounts.values()) == volumes
    assert {f"/{DATA}", f"/{HOME}"} <= mounts.keys()
    assert ("ConfigMap", pod["volumes"][0]["configMap"]["name"]) in parts


def test_it_runs_as_nobody_and_writes_to_its_volumes_alone(pod: Any) -> None:
    (container,) = pod["containers"]
    assert container["image"] == f"clawmesh:{VERSION}"
    context = pod["securityContext"]
    assert (context["runAsUser"], context["fsGroup"], context["runAsNonRoot"]) == (USER, USER, True)
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["terminationGracePeriodSeconds"] > 30


def test_its_probes_need_no_token_and_use_a_name_that_is_ours(pod: Any) -> None:
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[name]["httpGet"]
        assert asked["path"] in PROBES
        assert ports[asked["port"]] == PORT
        assert asked["httpHeaders"] == [{"name": "Host", "value": LOOPBACK[0]}]
