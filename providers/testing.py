"""What a provider's author tests with: an in-memory step recorder, ready-made binaries, a context, and the contract.

``ProviderContract`` is a pytest class; a provider's test inherits it and says how the provider is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from providers.contracts import Binaries, Cluster, ClusterSpec, Context, Deadline, Provider, StepRecorder
from upload.errors import ProviderError


@dataclass(slots=True)
class RecordedSteps:
    """A StepRecorder that remembers. ``steps``: (name, failure text) in the order they ended; ``notes``: lines."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record a part, also when it raises."""
        try:
            yield
        except BaseException as error:
            self.steps.append((name, str(error)))
            raise
        self.steps.append((name, ""))

    def note(self, text: str) -> None:
        """Record a line."""
        self.notes.append(text)


@dataclass(frozen=True, slots=True)
class FolderBinaries:
    """Binaries that lie in one folder under their names."""

    folder: Path
    version: str

    def get(self, program: str, *, deadline: Deadline) -> Path:
        """Return the path of an executable. Raises ProviderError when the folder has none."""
        deadline.check()
        path = self.folder / program
        if not path.is_file():
            raise ProviderError(f"{program} is not in {self.folder}")
        return path

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> dict[str, Path]:
        """Return the paths of several executables by name. Raises as ``get`` does."""
        return {program: self.get(program, deadline=deadline) for program in programs}

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> FolderBinaries:
        """Return the programs of the same folder, whatever version or platform is asked for."""
        del platform
        deadline.check()
        return replace(self, version=kubernetes or self.version)

    def published(self, program: str, *, deadline: Deadline) -> None:
        """Return None: a folder is no server."""
        del program
        deadline.check()


def make_context(
    folder: Path,
    binaries: Binaries,
    *,
    steps: StepRecorder | None = None,
    secrets: list[str] | None = None,
    seconds: float = 120.0,
) -> Context:
    """Return a context for a run named ``ci-kubernetes-e2e-test-20260101000000``, whose folder is made if needed.

    ``secrets`` receives what the provider wants censored; ``seconds`` is the deadline.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept: list[str] = secrets if secrets is not None else []
    return Context(
        run="ci-kubernetes-e2e-test-20260101000000",
        cluster="c1",
        folder=folder,
        owner="tests",
        expires_s=int(time.time()) + 3600,
        deadline=Deadline.after(seconds, "the test"),
        steps=steps or RecordedSteps(),
        binaries=binaries,
        keep_secret=kept.append,
    )


class ProviderContract:
    """What every provider must do. Inherit it in a test module and define the fixtures ``provider`` and ``context``.

    ``context``: a fresh one, with what the provider needs in its ``binaries``. ``spec`` may be overridden. A whole life
    is one test, since a cluster may cost minutes.
    """

    spec: ClusterSpec = ClusterSpec(nodes=1)
    # a provider that never makes a cluster leaves it up
    owns_cluster: bool = True

    def test_before_up_nothing_is_up_or_left_and_down_is_success(self, provider: Provider, context: Context) -> None:
        """A run may be killed before ``up`` was ever called."""
        provider.down(context)

        assert not provider.is_up(context)
        assert provider.leftovers(context) == ()

    def test_a_whole_life(self, provider: Provider, context: Context, tmp_path: Path) -> None:
        """Up, the same again, dump, down, down again."""
        cluster = provider.up(self.spec, context)
        assert provider.is_up(context)
        assert Cluster.from_json(cluster.to_json()) == cluster
        assert cluster.kubeconfig.stat().st_mode & 0o077 == 0, "the kubeconfig is open to others"
        assert context.folder in cluster.kubeconfig.parents
        assert cluster.name == context.cluster

        assert provider.up(self.spec, context) == cluster, "a second up must find what the first one made"

        provider.dump(context, tmp_path / "dump")
        assert (tmp_path / "dump" / "metadata.json").is_file()
        assert (tmp_path / "dump" / "versions.json").is_file()

        provider.down(context)
        assert provider.leftovers(context) == ()
        assert provider.is_up(context) != self.owns_cluster

        provider.down(context)
        assert provider.leftovers(context) == ()
