from __future__ import annotations

import json
from dataclasses import replace

import pytest

from providers.releases.layouts import Asset, directory_assets, marker_url, published_sum, release_asset
from providers.releases.programs import PROGRAMS
from providers.releases.sources import Hosts, Platform
from upload.errors import ProviderError

LINUX, MAC = Platform("linux", "amd64"), Platform("darwin", "arm64")
HOSTS = Hosts("https://k", "https://e", "https://w", "https://d", "https://c")
MIRROR = Hosts.mirror("https://m/x")
SUM = "ab" * 32


@pytest.mark.parametrize(
    ("program", "version", "hosts", "platform", "expected"),
    [
        ("kubectl", "v1.36.3", HOSTS, MAC, Asset("https://k/release/v1.36.3/bin/darwin/arm64/kubectl", "+", "kubectl")),
        (
            "kube-apiserver",
            "v1.37.0-alpha.1.2+abc",
            HOSTS,
            LINUX,
            Asset("https://k/ci/v1.37.0-alpha.1.2+abc/bin/linux/amd64/kube-apiserver", "+", "kube-apiserver"),
        ),
        (
            "e2e.test",
            "v1.36.3",
            HOSTS,
            MAC,
            Asset(
                "https://k/release/v1.36.3/kubernetes-test-darwin-arm64.tar.gz",
                "+",
                "kubernetes-test-darwin-arm64.tar.gz",
                "kubernetes/test/bin/e2e.test",
            ),
        ),
        (
            "etcd",
            "v3.6.8",
            HOSTS,
            LINUX,
            Asset(
                "https://e/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz",
                "https://e/v3.6.8/SHA256SUMS",
                "etcd-v3.6.8-linux-amd64.tar.gz",
                "etcd-v3.6.8-linux-amd64/etcd",
            ),
        ),
        (
            "etcd",
            "v3.6.8",
            MIRROR,
            MAC,
            Asset(
                "https://m/x/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-darwin-arm64.zip",
                "https://m/x/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS",
                "etcd-v3.6.8-darwin-arm64.zip",
                "etcd-v3.6.8-darwin-arm64/etcd",
            ),
        ),
        (
            "coredns",
            "v1.14.2",
            HOSTS,
            LINUX,
            Asset("https://c/v1.14.2/coredns_1.14.2_linux_amd64.tgz", "+", "coredns_1.14.2_linux_amd64.tgz", "coredns"),
        ),
        (
            "kwok",
            "v0.8.0",
            HOSTS,
            LINUX,
            Asset("https://w/v0.8.0/kwok-linux-amd64", "https://d/v0.8.0", "kwok-linux-amd64"),
        ),
        (
            "kwokctl",
            "v0.8.0",
            MIRROR,
            LINUX,
            Asset(
                "https://m/x/kubernetes-sigs/kwok/releases/download/v0.8.0/kwokctl-linux-amd64",
                "+",
                "kwokctl-linux-amd64",
            ),
        ),
    ],
    ids=["client", "build-of-ci", "tests", "etcd", "etcd-mac-mirror", "coredns", "kwok", "kwok-mirror"],
)
def test_release_asset_follows_the_projects_layout(
    program: str, version: str, hosts: Hosts, platform: Platform, expected: Asset
) -> None:
    if expected.sum_url == "+":
        expected = replace(expected, sum_url=f"{expected.url}.sha256")

    assert release_asset(PROGRAMS[program], version, hosts, platform) == expected


def test_a_directory_has_the_official_layout_or_is_flat() -> None:
    assert directory_assets(PROGRAMS["kubectl"], "https://d", LINUX) == (
        Asset("https://d/bin/linux/amd64/kubectl", "https://d/bin/linux/amd64/kubectl.sha256", "kubectl"),
        Asset("https://d/kubectl", "https://d/kubectl.sha256", "kubectl"),
    )


def test_a_marker_is_a_text_file() -> None:
    assert marker_url("release/stable-1.36", HOSTS) == "https://k/release/stable-1.36.txt"


GITHUB = json.dumps({"assets": [{"name": "kwok.yaml", "digest": None}, {"name": "a", "digest": f"sha256:{SUM}"}]})


@pytest.mark.parametrize(
    "document",
    [SUM, f"{SUM.upper()}\n", f"{SUM}  a\n", f"{'0' * 64}  b\n{SUM} *a\n", f"{SUM}  ./a", GITHUB],
    ids=["bare", "upper-case", "sha256sum", "binary-mode", "with-folder", "github"],
)
def test_published_sum_reads_each_form(document: str) -> None:
    assert published_sum(document, "a") == SUM


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<html>",
        f"{SUM[:-1]}",
        f"{SUM}  b",
        f"{SUM[:-1]}  a",
        "{",
        '{"assets": 3}',
        '{"assets": [3]}',
        '{"assets": [{"name": "a", "digest": "md5:x"}]}',
        '{"assets": [{"name": "a"}]}',
    ],
)
def test_published_sum_of_a_document_without_one_is_an_error(document: str) -> None:
    with pytest.raises(ProviderError):
        published_sum(document, "a")
