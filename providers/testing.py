"""What a provider's author tests with: an in-memory step recorder, ready-made binaries, a node, a context, the contract.

``ProviderContract`` is a pytest class; a provider's test inherits it and says how the provider is made.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from providers.contracts import Binaries, Cluster, ClusterSpec, Context, Deadline, Output, Provider, Role, StepRecorder
from upload.errors import CommandError, ProviderError


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


Answer = str | Exception | Callable[[Sequence[str], bytes], str]


@dataclass(slots=True)
class FakeNode:
    """A Node that runs nothing. ``answers``: how a command line begins -> what it prints, the longest that fits wins.

    An answer is a text, an exception to raise, a function of argv and stdin, or a list of them, used up one by one but
    for its last. A command without an answer prints nothing. ``ran``: (argv, stdin) of each; ``files``: path -> content.
    """

    name: str = "w1"
    role: Role = "worker"
    addresses: tuple[str, ...] = ("192.0.2.11",)
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    ran: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    is_closed: bool = False

    def run(self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b"") -> Output:
        """Record a command and give its answer."""
        if self.is_closed:
            raise ProviderError("stopped")
        deadline.check()
        read = stdin if isinstance(stdin, bytes) else stdin.read_bytes()
        self.ran.append((tuple(argv), read))
        answer = self._answer(shlex.join(argv))
        if isinstance(answer, Exception):
            raise answer
        return Output(answer if isinstance(answer, str) else answer(argv, read))

    def put(self, content: bytes | Path, path: str, *, deadline: Deadline, mode: int = 0o644) -> None:
        """Keep a file; it is recorded as the command ``put PATH MODE``."""
        read = content if isinstance(content, bytes) else content.read_bytes()
        self.run(("put", path, f"{mode:o}"), deadline=deadline, stdin=read)
        self.files[path] = read

    def get(self, path: str, dest: Path, *, deadline: Deadline, limit_bytes: int) -> bool:
        """Copy a file of ``files``; it is recorded as the command ``get PATH``."""
        self.run(("get", path), deadline=deadline)
        if path not in self.files:
            raise CommandError(("head", path), 1, f"{path}: No such file or directory", node=self.name)
        dest.write_bytes(self.files[path][:limit_bytes])
        return len(self.files[path]) <= limit_bytes

    @contextmanager
    def stream(
        self, argv: Sequence[str], *, deadline: Deadline, stdin: bytes | Path = b""
    ) -> Iterator[Iterator[bytes]]:
        """Give the answer of a command as one piece."""
        yield iter([self.run(argv, deadline=deadline, stdin=stdin).stdout.encode()])

    def close(self) -> None:
        """Refuse what comes."""
        self.is_closed = True

    def _answer(self, line: str) -> Answer:
        fitting = [start for start in self.answers if line.startswith(start)]
        if not fitting:
            return ""
        answer = self.answers[max(fitting, key=len)]
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer
