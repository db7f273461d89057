"""jenkins-job-builder, run as the program that it is: definitions become the XML that Jenkins has, or go to a Jenkins."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET  # what is parsed was made here

from upload.errors import ProviderError, UsageError

NAMESPACE: Final = "jenkins_jobs"
RENDER_S: Final = 600
SHELL: Final = "hudson.tasks.Shell"
BINDING: Final = "org.jenkinsci.plugins.credentialsbinding.impl.SecretBuildWrapper"


def to_xml(documents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return Jenkins job → its XML, as jenkins-job-builder makes it. Asks no Jenkins and reads no settings of the user.

    Raises: UsageError when jenkins-job-builder is not installed, or refuses a definition: a bug of ours, then.
    """
    with _folder(documents) as folder:
        conf, out = folder / "empty.ini", folder / "xml"
        conf.write_text("[jenkins]\nurl=http://127.0.0.1/\n", encoding="ascii")
        argv = ["--conf", str(conf), "test", str(folder / "yaml"), "--config-xml", "-o", str(out)]
        done = subprocess.run(
            [*_program(), *argv], capture_output=True, text=True, errors="replace", timeout=RENDER_S, check=False
        )
        if done.returncode:
            raise UsageError(f"jenkins-job-builder refuses a definition:\n{done.stderr[-3000:]}")
        return {file.parent.name: file.read_bytes() for file in sorted(out.glob("*/config.xml"))}


def update(documents: Mapping[str, bytes], conf: Path, names: tuple[str, ...]) -> None:
    """Have jenkins-job-builder create and change the named jobs in the Jenkins of ``conf``; its messages are shown.

    Raises: UsageError for what is missing here, ProviderError when it fails.
    """
    if not conf.is_file():
        raise UsageError(f"there is no file {conf}", hint="write one: [jenkins] with url, user and password")
    with _folder(documents) as folder:
        argv = ["--conf", str(conf), "update", str(folder / "yaml"), *names]
        if subprocess.run([*_program(), *argv], check=False).returncode:
            raise ProviderError("jenkins-jobs update failed", hint="look at its messages above, and at --conf")


def findings(name: str, xml: bytes) -> Iterator[str]:
    """Yield what is wrong with a job's XML as Jenkins and bash would see it."""
    root = ET.fromstring(xml)  # noqa: S314  # jenkins-job-builder has just made it
    shells = [command.text or "" for command in root.iterfind(f".//{SHELL}/command")]
    if not shells:
        yield f"{name}: has no step"
    for number, text in enumerate(shells, 1):
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            yield f"{name}: step {number}: {done.stderr.strip()}"
    if name.startswith("pull-") and root.find(f".//{BINDING}") is not None:
        yield f"{name}: a pull request would get credentials"


@contextmanager
def _folder(documents: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="e2e-jobs-") as scratch:
        folder = Path(scratch)
        (folder / "yaml").mkdir()
        for name, content in documents.items():
            (folder / "yaml" / name).write_bytes(content)
        yield folder


def _program() -> list[str]:
    if find_spec(NAMESPACE) is None:
        raise UsageError("jenkins-job-builder is not installed", hint="pip install 'federated-e2e[jenkins]'")
    return [sys.executable, "-P", "-m", NAMESPACE]
