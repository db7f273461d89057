"""What the provider of any machines does when a machine fails it, without a machine."""

from __future__ import annotations

import io
import json
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from providers.contracts import ClusterSpec, Context, Machine, Resource
from providers.kubeadm.provider import KubeadmProvider
from providers.kubeadm.settings import KubeadmSettings
from providers.reach import Reach, write_reach
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.testing import FolderBinaries, make_context
from upload.errors import HarnessError, ProviderError, UsageError


class Made:
    """A maker whose machines are gone once they were deleted; ``refusal``: why they cannot be."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.deleted = 0

    def ensure(self, spec: ClusterSpec, ctx: Context) -> tuple[Machine, ...]:
        raise NotImplementedError

    def access(self, ctx: Context) -> Access:
        raise NotImplementedError

    def delete(self, ctx: Context) -> None:
        del ctx
        self.deleted += 1
        if self.refusal:
            raise ProviderError(self.refusal)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        del ctx
        return ()


@pytest.mark.parametrize(
    ("network", "refused"),
    [
        pytest.param("routes", {}, id="ours"),
        pytest.param("there.yaml", {}, id="manifest"),
        pytest.param(
            "absent.yaml", {"network": "vxlan, routes, or the file of a manifest that is there"}, id="manifest-absent"
        ),
    ],
)
def test_a_manifest_that_is_not_there_is_refused(
    network: str, refused: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.yaml").write_text("")

    assert KubeadmProvider(Made(), KubeadmSettings()).refusals(ClusterSpec(network=network)) == refused


@pytest.mark.parametrize("version", ["v1.36.3-dirty", "v1.37.0-alpha.1.12+0123456789abcd"])
def test_a_version_without_published_images_is_refused_before_anything_is_made(version: str, tmp_path: Path) -> None:
    context = make_context(tmp_path, FolderBinaries(tmp_path, version))

    with pytest.raises(UsageError) as raised:
        KubeadmProvider(Made(), KubeadmSettings()).up(ClusterSpec(), context)

    assert str(raised.value) == f"the images of {version} are published nowhere"
    assert "export E2E_IMAGES=" in raised.value.hint


@pytest.mark.parametrize("spec", [ClusterSpec(), ClusterSpec(upgrade_to="v1.37.1")], ids=["first", "upgraded to"])
def test_archives_without_the_images_of_a_version_are_refused_before_anything_is_made(
    spec: ClusterSpec, tmp_path: Path
) -> None:
    archive = tmp_path / "images.tar"
    with tarfile.open(archive, "w") as tar:
        manifest = json.dumps([{"RepoTags": ["registry.example/kube-apiserver:v1.36.3"]}]).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(manifest)
        tar.addfile(entry, io.BytesIO(manifest))
    version = "v1.36.3" if spec.upgrade_to else "v1.36.4"
    context = replace(
        make_context(tmp_path / "c1", FolderBinaries(tmp_path, version)), variables={"E2E_IMAGES": str(archive)}
    )

    with pytest.raises(UsageError) as raised:
        KubeadmProvider(Made(), KubeadmSettings()).up(spec, context)

    assert str(raised.value) == f"{archive}: no images of {spec.upgrade_to or version}"


class MadeForTheRun(Made):
    makes_machines = True


@contextmanager
def silent_machine(tmp_path: Path) -> Iterator[tuple[Context, Path]]:
    """Give the context of a run whose only machine answers nobody, and the file that names it."""
    with socket.socket() as taken:  # and listens to nobody
        taken.bind(("127.0.0.1", 0))
        context = make_context(tmp_path, FolderBinaries(tmp_path, "v1.36.3"), seconds=5)
        context.folder.mkdir(parents=True, exist_ok=True)
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
        machines = (Machine("cp1", "control-plane", Endpoint("127.0.0.1", taken.getsockname()[1])),)
        yield context, write_reach(context.folder, Reach(Access("root", KeyFile(tmp_path / "key")), machines))


@pytest.mark.parametrize("refusal", ["", "the cloud said no"], ids=["removed", "not removed"])
def test_a_machine_that_cannot_be_given_back_keeps_none_from_being_removed(refusal: str, tmp_path: Path) -> None:
    maker = Made(refusal)
    with silent_machine(tmp_path) as (context, path), pytest.raises(HarnessError, match="cp1") as raised:
        KubeadmProvider(maker, KubeadmSettings()).down(context)

    assert maker.deleted == 1
    assert refusal in str(raised.value)
    assert path.exists()  # down can be called again


def test_a_machine_that_was_made_for_the_run_goes_without_being_asked(tmp_path: Path) -> None:
    maker = MadeForTheRun()
    with silent_machine(tmp_path) as (context, path):
        provider = KubeadmProvider(maker, KubeadmSettings())
        left = provider.leftovers(context)
        provider.down(context)

    assert (left, maker.deleted, path.exists()) == ((), 1, False)


class Watched(MadeForTheRun):
    """A maker that knows of its machines from outside; ``refusal``: why it does not."""

    def losses(self, ctx: Context) -> Mapping[str, str]:
        del ctx
        return {"cp1": "it is TERMINATED"}

    def consoles(self, ctx: Context) -> Mapping[str, Path]:
        if self.refusal:
            raise ProviderError(self.refusal)
        path = ctx.folder / "console"
        path.write_text("Kernel panic")
        return {"cp1": path}


def test_what_a_maker_knows_of_a_machine_is_told_without_asking_the_machine(tmp_path: Path) -> None:
    with silent_machine(tmp_path) as (context, _):
        assert KubeadmProvider(Watched(), KubeadmSettings()).losses(context) == {"cp1": "it is TERMINATED"}


@pytest.mark.parametrize("refusal", ["", "the cloud said no"], ids=["there", "not to be had"])
def test_the_console_of_a_machine_that_lets_nobody_in_is_dumped(refusal: str, tmp_path: Path) -> None:
    with silent_machine(tmp_path) as (context, _):
        KubeadmProvider(Watched(refusal), KubeadmSettings()).dump(context, tmp_path / "dump")

    console = tmp_path / "dump" / "nodes" / "cp1" / "serial-console.log"
    assert console.exists() == (not refusal)
    assert refusal or console.read_text() == "Kernel panic"
    assert (tmp_path / "dump" / "metadata.json").exists()
