"""A provider and a tester that are quick and do what a config says: fail, hang, break. Installed by tests/support/harness.py.

The cluster is one process that sleeps; it carries a mark, as those of the local provider do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from e2e.lifecycle.tester_pytest import PytestTester
from providers import process
from providers.contracts import Cluster, ClusterSpec, Context, Resource
from upload.errors import ProviderError

Behaviour = Literal["ok", "fail", "hang", "hang-once", "swallow", "bug", "exit", "late"]
SECRET = "canary-5b1f0c9d7e"


class FakeSettings(BaseModel):
    """What each call does. ``left``: names that ``leftovers`` finds after ``down``; ``programs``: what ``up`` runs.

    ``lost``: what ``losses`` says, or ``fail``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    up: Behaviour = "ok"
    dump: Behaviour = "ok"
    down: Behaviour = "ok"
    left: list[str] = []
    lost: dict[str, str] | Literal["fail"] = {}
    programs: list[str] = []


class FakeProvider:
    """A cluster that is one sleeping process."""

    Settings: ClassVar[type[BaseModel]] = FakeSettings
    features: ClassVar[frozenset[str]] = frozenset()
    owns_cluster: ClassVar[bool] = True

    def __init__(self, settings: FakeSettings) -> None:
        self._settings = settings

    def programs(self, spec: ClusterSpec) -> tuple[str, ...]:
        return tuple(self._settings.programs)

    def up(self, spec: ClusterSpec, ctx: Context) -> Cluster:
        for path in ctx.binaries.ensure(self._settings.programs, deadline=ctx.deadline).values():
            ctx.steps.note(subprocess.run([path], capture_output=True, text=True, timeout=20, check=True).stdout)
        with ctx.steps.step("Start"):
            if not process.marked(mark(ctx)):
                env = {"FAKE_CLUSTER": mark(ctx).value, "PATH": os.environ["PATH"]}
                process.start(["sleep", "900"], env=env, cwd=ctx.folder, output=ctx.folder / "log")
        ctx.keep_secret(SECRET)
        behave(self._settings.up, ctx)
        kubeconfig = ctx.folder / "kubeconfig"
        kubeconfig.write_text("{}")
        return Cluster(name=ctx.cluster, kubeconfig=kubeconfig, version=ctx.binaries.version, nodes=("n1",))

    def is_up(self, ctx: Context) -> bool:
        return bool(process.marked(mark(ctx)))

    def dump(self, ctx: Context, dest: Path) -> None:
        (dest / "metadata.json").write_text(f'{{"token": "{SECRET}"}}\n')
        behave(self._settings.dump, ctx)

    def down(self, ctx: Context) -> None:
        behave(self._settings.down, ctx)
        process.end(mark(ctx), deadline=ctx.deadline)

    def losses(self, ctx: Context) -> dict[str, str]:
        if self._settings.lost == "fail":
            raise ProviderError("the cloud does not answer")
        return self._settings.lost

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        living = [Resource("process", process.describe(each)) for each in process.marked(mark(ctx))]
        return (*living, *(Resource("thing", name) for name in self._settings.left))


def mark(ctx: Context) -> process.Mark:
    return process.Mark("FAKE_CLUSTER", str(ctx.folder))


def behave(behaviour: Behaviour, ctx: Context) -> None:
    """Do what the config says."""
    if behaviour == "fail":
        raise ProviderError("the cloud said no", hint="ask the cloud")
    if behaviour == "bug":
        raise KeyError("no such thing")
    if behaviour == "exit":
        sys.exit(0)
    if behaviour == "late":
        while ctx.deadline.remaining_s() > 0:
            time.sleep(0.01)
        raise ProviderError("the cloud is slow")
    while behaviour == "hang":
        time.sleep(60)
    if behaviour == "hang-once" and not (met := ctx.folder / "met").exists():
        met.touch()
        time.sleep(600)
    while behaviour == "swallow":
        try:
            time.sleep(60)
        except Exception:
            continue


class FakeTester(PytestTester):
    """The pytest tester with another program in pytest's place: tests/support/fake_provider/fake_pytest.py."""

    def __init__(self) -> None:
        super().__init__(program=(sys.executable, "-S", "-E", str(Path(__file__).parent / "fake_pytest.py")))

    def programs(self) -> tuple[str, ...]:
        return ("ginkgo",)


class TinyTester(PytestTester):
    """The pytest tester on a suite of a few cases that need no cluster."""

    def __init__(self) -> None:
        super().__init__(suite=Path(__file__).parent / "suite")


class CanaryTester(PytestTester):
    """The pytest tester on a suite that puts secrets wherever a cluster and a case may hold them."""

    def __init__(self) -> None:
        super().__init__(suite=Path(__file__).parent / "canaries")
