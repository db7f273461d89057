"""Builds a freestyle job as Jenkins does, from its XML: workspace, environment, credentials, steps, abort, post-build steps.

Sources: Jenkins core (hudson.model.Build, hudson.tasks.CommandInterpreter, hudson.util.ProcessTree: SIGTERM to all that
carries the build's cookie, SIGKILL after 5 s), ws-cleanup, credentials-binding, postbuildscript, description-setter.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil

SHELL = "hudson.tasks.Shell"
BINDINGS = ".//org.jenkinsci.plugins.credentialsbinding.impl.SecretBuildWrapper/bindings/"
POST = ".//org.jenkinsci.plugins.postbuildscript.model.PostBuildStep"
SETTER = ".//hudson.plugins.descriptionsetter.DescriptionSetterPublisher"
SOFT_KILL_S = 5.0
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Built:
    """How a build ended: its result, its log, the description it got, and the exit codes of the steps after it."""

    result: str
    log: str
    description: str
    post_codes: tuple[int, ...]


@dataclass(slots=True)
class Agent:
    """One agent with one executor. ``credentials``: id → content, as Jenkins keeps them."""

    root: Path
    variables: Mapping[str, str]
    credentials: Mapping[str, str] = field(default_factory=dict)
    number: int = 0

    def workspace(self, name: str) -> Path:
        return self.root / "workspace" / name

    def beside(self, name: str) -> Path:
        """Return the folder that Jenkins has beside a workspace for what is no part of it."""
        return self.root / "workspace" / f"{name}@tmp"

    def build(
        self,
        name: str,
        xml: bytes,
        *,
        abort_when: Callable[[], bool] = lambda: False,
        more: Mapping[str, str] | None = None,
        checkout: Callable[[Path], None] = lambda _: None,
    ) -> Built:
        """Build a job. It is aborted once ``abort_when``; ``checkout`` puts a repository into the empty workspace."""
        job = ET.fromstring(xml)
        self.number += 1
        workspace = self.workspace(name)
        clean(workspace, job)
        checkout(workspace)
        cookie = secrets.token_hex(8)
        env = {**self.variables, **(more or {})} | self._environment(name, workspace, cookie)
        log = self.root / f"{name}-{self.number}.log"
        bound = self._bind(job, workspace)
        result = "SUCCESS"
        try:
            for shell in job.iterfind(f"./builders/{SHELL}"):
                code = run_shell(shell, env | bound, workspace, log, cookie, abort_when)
                unstable = shell.findtext("unstableReturn")
                result = "ABORTED" if code is None else result
                if code:
                    result = "UNSTABLE" if unstable and int(unstable) == code else "FAILURE"
                if result != "SUCCESS":
                    break
        finally:  # Jenkins tears its wrappers down before the publishers run
            shutil.rmtree(secret_files(workspace), ignore_errors=True)
        codes = self._after(job, result, env, workspace, log, cookie)
        end(cookie)
        text = log.read_text(errors="replace")
        return Built(result, text, description(job, text, failed=result != "SUCCESS"), codes)

    def _after(
        self, job: ET.Element, result: str, env: Mapping[str, str], workspace: Path, log: Path, cookie: str
    ) -> tuple[int, ...]:
        codes = []
        for post in job.iterfind(POST):
            if result in [each.text for each in post.iterfind("./results/string")]:
                for shell in post.iterfind(f"./buildSteps/{SHELL}"):
                    code = run_shell(shell, env, workspace, log, cookie, lambda: False)
                    assert code is not None
                    codes.append(code)
        return tuple(codes)

    def _environment(self, name: str, workspace: Path, cookie: str) -> dict[str, str]:
        url = f"https://jenkins.example.com/job/{name}/"
        return {
            "WORKSPACE": str(workspace),
            "WORKSPACE_TMP": f"{workspace}@tmp",
            "JOB_NAME": name,
            "JOB_BASE_NAME": name,
            "JOB_URL": url,
            "BUILD_NUMBER": str(self.number),
            "BUILD_ID": str(self.number),
            "BUILD_TAG": f"jenkins-{name}-{self.number}",
            "BUILD_URL": f"{url}{self.number}/",
            "JENKINS_URL": "https://jenkins.example.com/",
            "JENKINS_NODE_COOKIE": cookie,
            "JENKINS_SERVER_COOKIE": "durable-server",
            "HUDSON_COOKIE": cookie,
            "NODE_NAME": "agent-1",
            "NODE_LABELS": "e2e",
            "EXECUTOR_NUMBER": "0",
            "CI": "true",
        }

    def _bind(self, job: ET.Element, workspace: Path) -> dict[str, str]:
        bound = {}
        folder = secret_files(workspace)
        for binding in job.iterfind(f"{BINDINGS}*"):
            name, identity = binding.findtext("variable") or "", binding.findtext("credentialsId") or ""
            bound[name] = self.credentials[identity]
            if binding.tag.endswith("FileBinding"):
                folder.mkdir(parents=True, mode=0o700, exist_ok=True)
                (folder / name).write_text(bound[name])
                (folder / name).chmod(0o600)
                bound[name] = str(folder / name)
        return bound


def secret_files(workspace: Path) -> Path:
    return Path(f"{workspace}@tmp") / "secretFiles"


def clean(workspace: Path, job: ET.Element) -> None:
    """Empty a workspace but for what the job excludes: folders at its top, as ``name/**``."""
    workspace.mkdir(parents=True, exist_ok=True)
    patterns = [each.findtext("pattern") or "" for each in job.iterfind(".//hudson.plugins.ws__cleanup.Pattern")]
    kept = {pattern.removesuffix("/**") for pattern in patterns}
    for path in workspace.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def run_shell(
    shell: ET.Element,
    env: Mapping[str, str],
    workspace: Path,
    log: Path,
    cookie: str,
    abort_when: Callable[[], bool],
) -> int | None:
    """Run a step and return its exit code, None when it was aborted."""
    text = shell.findtext("command") or ""
    script = Path(f"{workspace}@tmp") / f"jenkins{secrets.token_hex(4)}.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text(text)
    interpreter = text.splitlines()[0].removeprefix("#!").split()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*interpreter, str(script)], cwd=workspace, env=dict(env), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            assert time.monotonic() < until, log.read_text(errors="replace")
            if abort_when():
                end(cookie)
                process.wait(timeout=PATIENCE_S)
                return None
            time.sleep(0.02)
    script.unlink()
    return process.returncode


def end(cookie: str) -> None:
    """End every process that carries a cookie, as Jenkins does when a build is aborted or over."""
    for process in carrying(cookie):
        signalled(process, signal.SIGTERM)
    until = time.monotonic() + SOFT_KILL_S
    while carrying(cookie) and time.monotonic() < until:
        time.sleep(0.05)
    for process in carrying(cookie):
        signalled(process, signal.SIGKILL)


def carrying(cookie: str) -> list[psutil.Process]:
    wanted = f"JENKINS_NODE_COOKIE={cookie}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(psutil.Process(int(path.parent.name)))
        except (OSError, psutil.Error):
            continue
    return [process for process in found if process.pid != os.getpid()]


def signalled(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def description(job: ET.Element, log: str, *, failed: bool) -> str:
    """Return the build's description as the description setter finds it in the log."""
    setter = job.find(SETTER)
    if setter is None:
        return ""
    kind = "ForFailed" if failed else ""
    pattern, text = setter.findtext(f"regexp{kind}") or "", setter.findtext(f"description{kind}") or ""
    found = re.search(pattern, log, re.MULTILINE)
    return re.sub(r"\\1", lambda _: found[1], text) if found else ""
