from __future__ import annotations

import os
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.releases.fanout import Limit
from providers.releases.pins import etcd_version, go_mod, main, make_pins
from upload.errors import ProviderError, UsageError


def test_go_mod_replaces_staging_by_published_modules() -> None:
    assert go_mod("kubernetes", "v1.36.3", ["k8s.io/kubernetes/cmd/kubectl"], ["k8s.io/api"]) == (
        "module federated-e2e.test/kubernetes\n\ngo 1.24\n\ntool (\n\tk8s.io/kubernetes/cmd/kubectl\n)\n\n"
        "require k8s.io/kubernetes v1.36.3\n\nreplace (\n\tk8s.io/api => k8s.io/api v0.36.3\n)\n"
    )


def test_etcd_is_the_one_that_kubeadm_brings(tmp_path: Path) -> None:
    constants = tmp_path / "cmd/kubeadm/app/constants/constants.go"
    constants.parent.mkdir(parents=True)
    constants.write_text('\t// DefaultEtcdVersion is …\n\tDefaultEtcdVersion = "3.6.6-0"\n')

    assert etcd_version(tmp_path) == "v3.6.6"


def test_a_module_that_names_no_etcd_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="No such file"):
        etcd_version(tmp_path)


@pytest.mark.parametrize("version", ["1.36.3", "v1.36", "v1.37.0-rc.1", "../x", ""])
def test_only_releases_are_pinned(version: str, tmp_path: Path) -> None:
    limit = Limit(Deadline.after(5, "pinning"))

    with pytest.raises(UsageError, match="is no release of Kubernetes"):
        make_pins(version, tmp_path, env={}, limit=limit, tell=lambda _line: None)

    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_wrong_call_is_one_line_and_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "go-pins: one version is expected\n     try: make go-pins VERSION=v1.36.3\n"
