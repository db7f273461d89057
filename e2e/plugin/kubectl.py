"""The pinned kubectl, run against the cluster under test."""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TAIL_CHARS = 4_000


class KubectlFailed(AssertionError):
    """kubectl ended with another code than 0, or not in time. Carries the output's tail."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a program said. ``code``: its exit code."""

    stdout: str
    stderr: str
    code: int


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs ``kubectl``. ``cache``: folder for its discovery cache, so that a test's new kinds disturb nobody."""

    program: Path
    kubeconfig: Path
    cache: Path

    def __call__(self, *args: str, stdin: str = "", timeout_s: float = 30.0, check: bool = True) -> Output:
        """Return the output of ``kubectl ARGS``. Raises KubectlFailed unless ``check`` is false or the code is 0."""
        __tracebackhide__ = True
        argv = self._argv(args)
        said = f"kubectl {shlex.join(args)}"
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False, env=self._env()
            )
        except subprocess.TimeoutExpired as exc:
            raise KubectlFailed(f"{said} was not done after {timeout_s:g} s\n{_tail(exc.stderr)}") from exc
        if check and done.returncode != 0:
            raise KubectlFailed(f"{said} ended with code {done.returncode}\n{_tail(done.stderr or done.stdout)}")
        return Output(done.stdout, done.stderr, done.returncode)

    @contextmanager
    def running(self, *args: str, timeout_s: float = 30.0) -> Iterator[str]:
        """Start ``kubectl ARGS``, give its first line of output, and end it afterwards: for ``port-forward``.

        Raises KubectlFailed when it ends, or is silent until ``timeout_s``, before it wrote a line.
        """
        __tracebackhide__ = True
        with (
            (self.cache / f"stderr-{os.urandom(4).hex()}").open("w+") as errors,
            subprocess.Popen(
                self._argv(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=self._env()
            ) as process,
        ):
            try:
                assert process.stdout
                line = _first_line(process.stdout, timeout_s)
                if not line:
                    errors.seek(0)
                    raise KubectlFailed(f"kubectl {shlex.join(args)} wrote nothing in time\n{_tail(errors.read())}")
                yield line
            finally:
                process.kill()  # it has nothing to put in order

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        return [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.cache}", *args]

    def _env(self) -> dict[str, str]:
        # Nothing of the caller's: no KUBECONFIG, no plugins, no preferences (~/.kube/kuberc).
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.cache), "KUBECTL_KUBERC": "false"}


def _first_line(stream: IO[bytes], timeout_s: float) -> str:
    """Return the first line; empty when the stream ends or is silent so long. Output comes in whole lines."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline().decode(errors="replace").rstrip("\n") if selector.select(timeout_s) else ""


def _tail(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return text[-TAIL_CHARS:]
