"""The pinned kubectl, run against the cluster under test."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
        argv = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.cache}", *args]
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

    def _env(self) -> dict[str, str]:
        # Nothing of the caller's: no KUBECONFIG, no plugins, no preferences (~/.kube/kuberc).
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.cache), "KUBECTL_KUBERC": "false"}


def _tail(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return text[-TAIL_CHARS:]
