from __future__ import annotations

from pathlib import Path

import pytest

from providers.releases.pins import Wish, brought_versions, go_mod, main, read_wish
from providers.releases.programs import PROGRAMS
from upload.errors import ProviderError, UsageError


def test_go_mod_replaces_staging_by_published_modules() -> None:
    assert go_mod("kubernetes", "v1.36.3", ["k8s.io/kubernetes/cmd/kubectl"], {"k8s.io/api": "v0.36.3"}) == (
        "module federated-e2e.test/kubernetes\n\ngo 1.24\n\ntool (\n\tk8s.io/kubernetes/cmd/kubectl\n)\n\n"
        "require k8s.io/kubernetes v1.36.3\n\nreplace (\n\tk8s.io/api => k8s.io/api v0.36.3\n)\n"
    )


def test_etcd_and_coredns_are_those_that_kubeadm_brings(tmp_path: Path) -> None:
    constants = tmp_path / "cmd/kubeadm/app/constants/constants.go"
    constants.parent.mkdir(parents=True)
    constants.write_text('\t// CoreDNSVersion is …\n\tDefaultEtcdVersion = "3.6.6-0"\n\tCoreDNSVersion = "v1.13.1"\n')

    assert brought_versions(tmp_path) == {"etcd": "v3.6.6", "coredns": "v1.13.1"}


def test_a_module_that_names_no_version_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="No such file"):
        brought_versions(tmp_path)
    constants = tmp_path / "cmd/kubeadm/app/constants/constants.go"
    constants.parent.mkdir(parents=True)
    constants.write_text('\tDefaultEtcdVersion = "3.6.6-0"\n')
    with pytest.raises(ProviderError, match=r"constants\.go names no version of coredns"):
        brought_versions(tmp_path)


def test_a_wish_is_a_version_some_programs_and_other_versions_of_modules() -> None:
    wish = read_wish(["v1.33.5", "kubelet", "k8s.io/cri-client@v0.33.4"])

    assert wish == Wish("v1.33.5", (PROGRAMS["kubelet"],), {"k8s.io/cri-client": "v0.33.4"})
    assert wish.packages("kubernetes") == ["k8s.io/kubernetes/cmd/kubelet"]
    assert wish.packages("etcd") == []


def test_without_programs_all_are_wished_for() -> None:
    assert read_wish(["v1.35.4"]).packages("etcd") == ["go.etcd.io/etcd/server/v3"]


@pytest.mark.parametrize("version", ["1.36.3", "v1.36", "v1.37.0-rc.1", "../x", ""])
def test_only_releases_are_pinned(version: str) -> None:
    with pytest.raises(UsageError, match="is no release of Kubernetes"):
        read_wish([version])


def test_a_wrong_call_is_one_line_and_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "go-pins: a version is expected\n     try: make go-pins VERSION=v1.36.3\n"
