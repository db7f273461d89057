from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from providers._hollow import node_names, nodes, room_for_nodes
from providers.contracts import ClusterSpec, Resource
from providers.local import LocalProvider, LocalSettings
from providers.testing import FolderBinaries, RecordedSteps, make_context
from upload.errors import ProviderError, UsageError

VERSION = "v1.36.3"


def local() -> LocalProvider:
    return LocalProvider(LocalSettings())


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"components": {"kubelet": {}}}, "Input should be 'etcd', 'kube-apiserver'"),
        ({"components": {"etcd": {"disabled": True}}}, "without etcd there is no cluster"),
        ({"components": {"kube-apiserver": {"disabled": True}}}, "without kube-apiserver there is no cluster"),
        ({"components": {"kube-scheduler": {"flags": {}}}}, "Extra inputs are not permitted"),
        ({"components": {"kube-scheduler": {"args": {"--v": "4"}}}}, "String should match pattern"),
        ({"components": {"kube-scheduler": {"args": {"v": [1]}}}}, "Input should be a valid"),
        ({"components": {"etcd": {"args": {"listen-client-urls": "http://0.0.0.0:1"}}}}, "is set by the provider"),
        ({"components": {"kube-apiserver": {"args": {"bind-address": "0.0.0.0"}}}}, "is set by the provider"),
        ({"components": {"kube-apiserver": {"args": {"secure-port": 6443}}}}, "is set by the provider"),
        ({"components": {"kwok-controller": {"args": {"server-address": ":1"}}}}, "is set by the provider"),
        ({"components": {"kube-controller-manager": {"args": {"kubeconfig": "x"}}}}, "is set by the provider"),
        ({"components": {"kube-apiserver": {"args": {"tls-cert-file": "x"}}}}, "is set by the provider"),
        ({"components": {"etcd": {"args": {"data-dir": "x"}}}}, "is set by the provider"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LocalSettings.model_validate(section)


def test_settings_give_flags_as_texts() -> None:
    args = {"controllers": "*,-replicaset", "v": 4, "profiling": False}
    settings = LocalSettings.model_validate({"components": {"kube-controller-manager": {"args": args}}})

    flags = settings.components["kube-controller-manager"].flags()

    assert flags == {"controllers": "*,-replicaset", "v": "4", "profiling": "false"}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        (ClusterSpec(), {}),
        (ClusterSpec(nodes=0), {}),
        (ClusterSpec(control_planes=3), {"control_planes": "1 (provider local makes one)"}),
        (
            ClusterSpec(nodes=5, pod_cidr="10.0.0.0/22"),
            {"nodes": "at most 4, which is what pod_cidr has room for"},
        ),
        (
            ClusterSpec(kubelet_version="v1.35.4", upgrade_to="v1.37.0"),
            {
                "kubelet_version": "absent: provider local runs no kubelet",
                "upgrade_to": "absent: provider local upgrades nothing",
            },
        ),
    ],
    ids=["default", "no nodes", "three control planes", "small network", "other versions"],
)
def test_refusals_name_what_cannot_be_made(spec: ClusterSpec, refused: dict[str, str]) -> None:
    assert LocalProvider.refusals(spec) == refused


def test_programs_of_kubernetes_are_named_so_that_a_checkout_is_built_before_up() -> None:
    assert local().programs(ClusterSpec()) == (
        "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    )  # fmt: skip


def test_up_refuses_what_cannot_be_made_before_it_does_anything(tmp_path: Path) -> None:
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION))

    with pytest.raises(UsageError, match=r"cluster\.control_planes must be 1"):
        local().up(ClusterSpec(control_planes=2), context)

    assert list(context.folder.iterdir()) == []


def test_up_refuses_a_folder_in_which_kwokctl_would_go_astray(tmp_path: Path) -> None:
    context = make_context(tmp_path / "state folder" / "c1", FolderBinaries(tmp_path, VERSION))

    with pytest.raises(UsageError, match="a path with spaces") as caught:
        local().up(ClusterSpec(), context)
    assert caught.value.hint == "export E2E_STATE_DIR=/a/folder/without/spaces"


def test_up_says_which_program_is_missing(tmp_path: Path) -> None:
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION))

    with pytest.raises(ProviderError, match="kwokctl is not in"):
        local().up(ClusterSpec(), context)


def test_nothing_is_up_and_nothing_is_left_before_up(tmp_path: Path) -> None:
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION))

    local().down(context)

    assert (local().is_up(context), local().leftovers(context)) == (False, ())


def test_down_empties_the_folder_and_follows_no_link(tmp_path: Path) -> None:
    steps = RecordedSteps()
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION), steps=steps)
    stranger = tmp_path / "stranger"
    (stranger / "kept").mkdir(parents=True)
    (context.folder / "kwok" / "deep").mkdir(parents=True)
    (context.folder / "kubeconfig").write_text("x")
    (context.folder / "link").symlink_to(stranger)

    left = local().leftovers(context)
    local().down(context)

    assert left == tuple(Resource("file", str(context.folder / name)) for name in ("kubeconfig", "kwok", "link"))
    assert (list(context.folder.iterdir()), (stranger / "kept").is_dir()) == ([], True)
    assert steps.steps == [("Stop processes", ""), ("Remove files", "")]


def test_down_without_its_folder_is_success(tmp_path: Path) -> None:
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION))
    context.folder.rmdir()

    local().down(context)

    assert local().leftovers(context) == ()


def test_dump_without_a_cluster_says_that_there_was_none(tmp_path: Path) -> None:
    steps = RecordedSteps()
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, VERSION), steps=steps)

    local().dump(context, tmp_path / "dump")

    assert [path.name for path in (tmp_path / "dump").iterdir()] == ["metadata.json"]
    assert steps.notes == ["not dumped: API objects: the control plane was never started"]


def test_hollow_nodes_have_names_networks_and_zones_of_their_own() -> None:
    made = nodes("c1", 4, pod_cidr="10.244.0.0/16", version=VERSION)

    facts = [
        (
            node["metadata"]["name"],
            node["spec"]["podCIDR"],
            node["metadata"]["labels"]["topology.kubernetes.io/zone"],
            node["status"]["addresses"][1]["address"],
        )
        for node in made
    ]
    assert facts == [
        ("c1-node-1", "10.244.0.0/24", "zone-a", "198.51.100.1"),
        ("c1-node-2", "10.244.1.0/24", "zone-b", "198.51.100.2"),
        ("c1-node-3", "10.244.2.0/24", "zone-c", "198.51.100.3"),
        ("c1-node-4", "10.244.3.0/24", "zone-a", "198.51.100.4"),
    ]
    assert node_names("c1", 4) == tuple(fact[0] for fact in facts)


@pytest.mark.parametrize(
    ("network", "room"),
    [("10.244.0.0/16", 256), ("10.0.0.0/24", 1), ("10.0.0.0/28", 1), ("fd00::/56", 256), ("fd00::/64", 1)],
)
def test_room_for_nodes_is_what_the_network_divides_into(network: str, room: int) -> None:
    assert room_for_nodes(network) == room
