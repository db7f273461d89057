"""Uploading a build with all guarantees, against ``gcloud storage cp`` and the Google library's ``transfer_manager``.

Each contender is a process of its own with a server of its own.

Small files go to the server's filesystem backend, in memory where the machine has ``/dev/shm``: the memory backend searches
all names four times for each new one, under one lock. With 2,000 files that alone takes longer than any client: one in Go
that sends bodies made before took 5.7 to 7.4 s, ``transfer_manager`` 8.0 to 10.9 s.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.gcs import Bucket, make_bucket, publish_argv, running_server

PAIRS = 5
SHM = Path("/dev/shm")
GCLOUD_AT_MOST, MANAGER_AT_MOST, LARGE_AT_MOST = 1 / 3, 1 / 1.3, 1.0
MANAGER = """
import sys
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager
from pathlib import Path
endpoint, bucket, folder = sys.argv[1:]
client = storage.Client(project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint})
names = [str(path.relative_to(folder)) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
done = transfer_manager.upload_many_from_filenames(
    client.bucket(bucket), names, source_directory=folder, max_workers=8, worker_type=transfer_manager.THREAD
)
sys.exit(any(isinstance(one, Exception) for one in done))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one upload took. ``peak_mb``: resident memory."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def ours(folder: Path, bucket: Bucket, scratch: Path) -> tuple[list[str], dict[str, str]]:
    argv = publish_argv(folder, "ci-kubernetes-bench", bucket)
    return argv, {"STORAGE_EMULATOR_HOST": bucket.endpoint, "E2E_STATE_DIR": str(scratch)}


def manager(folder: Path, bucket: Bucket, _scratch: Path) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-c", MANAGER, bucket.endpoint, bucket.name, str(folder)], {}


def gcloud(folder: Path, bucket: Bucket, scratch: Path) -> tuple[list[str], dict[str, str]]:
    return ["gcloud", "storage", "cp", "-q", "-r", str(folder), f"{bucket.uri}/"], {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{bucket.endpoint}/storage/v1/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_PROJECT": "p",
        "CLOUDSDK_CONFIG": str(scratch),
    }


Contender = Callable[[Path, Bucket, Path], tuple[list[str], dict[str, str]]]


def measured(contender: Contender, folder: Path, scratch: Path, files: str) -> Cost:
    scratch.mkdir(parents=True)
    with ExitStack() as stack:
        root = stack.enter_context(TemporaryDirectory(dir=SHM if SHM.is_dir() else None)) if files == "small" else None
        url = stack.enter_context(running_server(Path(root) if root else None))
        argv, env = contender(folder, make_bucket(url), scratch)
        output = scratch / "output"
        began = time.perf_counter()
        with output.open("wb") as file:
            process = subprocess.Popen(argv, env=os.environ | env, stdout=file, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # it is not asked itself, since it knows no usage
    assert process.returncode == 0, output.read_text()[-2000:]
    shutil.rmtree(scratch)
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 files of 1 to 200 kB, log-like text and packed bytes in turn."""
    chance, folder = random.Random(1), tmp_path_factory.mktemp("small")
    for number in range(2000):
        size = chance.randint(1_000, 92_000) if number % 10 else chance.randint(92_000, 200_000)
        path = folder / f"node-{number % 20:02}" / f"{number:04}{'.log' if number % 2 else '.bin'}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(log_text(chance, size) if number % 2 else chance.randbytes(size))
    return folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """One file of 2 GiB."""
    folder, block = tmp_path_factory.mktemp("large"), random.Random(1).randbytes(1 << 20)
    with (folder / "image.bin").open("wb") as file:
        for _ in range(request.config.getoption("--upload-mib")):
            file.write(block)
    return folder


def log_text(chance: random.Random, size: int) -> bytes:
    lines, length = [], 0
    while length < size:
        line = f"I0722 06:{chance.randint(0, 59):02}:{chance.random() * 60:09.6f} kubelet.go:{chance.randint(1, 3000)}] pod {chance.getrandbits(64):016x} synced"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines).encode()[:size]


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("peer", "files", "goal"),
    [
        pytest.param(manager, "small", MANAGER_AT_MOST, id="small-transfer_manager"),
        pytest.param(gcloud, "small", GCLOUD_AT_MOST, id="small-gcloud"),
        pytest.param(manager, "large", LARGE_AT_MOST, id="large-transfer_manager"),
        pytest.param(gcloud, "large", LARGE_AT_MOST, id="large-gcloud"),
    ],
)
def test_publish_against_a_peer(  # type: ignore[no-untyped-def]
    peer: Contender, files: str, goal: float, request: pytest.FixtureRequest, tmp_path: Path, record_ratio
) -> None:
    if peer is gcloud and not shutil.which("gcloud"):
        pytest.skip("gcloud is not installed")
    folder: Path = request.getfixturevalue(files)
    pairs = [
        (measured(ours, folder, tmp_path / f"o{n}", files), measured(peer, folder, tmp_path / f"p{n}", files))
        for n in range(PAIRS if files == "small" else 1)
    ]

    what = f"publish / {peer.__name__}, {files}"
    record_ratio(f"{what}, wall", [(a.wall_s, b.wall_s) for a, b in pairs], round(goal, 2))
    record_ratio(f"{what}, CPU", [(a.cpu_s, b.cpu_s) for a, b in pairs], 1.0)
    record_ratio(f"{what}, peak memory", [(a.peak_mb, b.peak_mb) for a, b in pairs], 1.0, "MB")
