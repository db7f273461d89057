"""The cache under real processes: killed, interrupted, racing, without space, without rights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.versions import resolve
from tests.support.release_server import ReleaseServer, script, serving
from upload.errors import DeadlineExceeded, Outcome, ProviderError

ROOT = Path(__file__).parents[3]
VERSION = "v1.36.3"
KUBECTL = f"/release/{VERSION}/bin/linux/amd64/kubectl"
ENTRY = f"{VERSION}-linux-amd64"
SIZE_BYTES = 4_000_000


def within(seconds: float = 30.0) -> Deadline:
    return Deadline.after(seconds, "fetching")


@contextmanager
def fetching(server: ReleaseServer, cache: Path, *programs: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "tests.support.fetch_release", server.root, str(cache), VERSION, *programs]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    with serving() as release:
        release.put_kubernetes(VERSION, size_bytes=SIZE_BYTES)
        yield release


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_fetch_ended_in_the_middle_leaves_no_entry_and_the_next_one_succeeds(
    number: signal.Signals, server: ReleaseServer, cache: Path
) -> None:
    server.stall(KUBECTL)
    with fetching(server, cache, "kubectl", "kube-scheduler") as process:
        assert server.halfway.wait(60)
        process.send_signal(number)
        process.wait(20)
    half = [path.name for path in (cache / "tmp").iterdir()]
    server.faults.clear()

    path = resolve(VERSION, sources=server.sources(cache), deadline=within()).get("kubectl", deadline=within())

    assert not (cache / "kubectl" / ENTRY).exists() or path.parent == cache / "kubectl" / ENTRY
    assert len(half) == (0 if number == signal.SIGINT else 1)
    assert path.read_bytes() == script("kubectl", VERSION, SIZE_BYTES)
    assert list((cache / "tmp").glob("kubectl*")) == []


def test_two_processes_at_once_fetch_it_once(server: ReleaseServer, cache: Path) -> None:
    server.stall(KUBECTL)
    with fetching(server, cache, "kubectl") as first:
        assert server.halfway.wait(60)
        with fetching(server, cache, "kubectl", "kube-scheduler") as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(2)
            server.let_go.set()
            said = [process.communicate(timeout=60)[0] for process in (first, second)]

    kubectl = cache / "kubectl" / ENTRY / "kubectl"
    assert said == [f"{kubectl}\n", f"{kubectl}\n{cache / 'kube-scheduler' / ENTRY / 'kube-scheduler'}\n"]
    assert server.count("GET", KUBECTL) == 1


def test_a_lock_that_somebody_keeps_is_waited_for_until_the_deadline(server: ReleaseServer, cache: Path) -> None:
    held = Cache(cache).locked([Key("kubectl", VERSION, "linux/amd64")], within())
    with held, pytest.raises(DeadlineExceeded):
        resolve(VERSION, sources=server.sources(cache), deadline=within()).get("kubectl", deadline=within(0.3))


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half(server: ReleaseServer, cache: Path) -> None:
    with fetching(server, cache, "kubectl", "kube-scheduler", f"--file-limit={SIZE_BYTES // 2}") as process:
        said, trace = process.communicate(timeout=60)

    assert said == f"ProviderError: the disk of the cache {cache} is full (File too large)\n"
    assert (process.returncode, trace) == (Outcome.PROVIDER.value.exit_code, "")
    assert list((cache / "tmp").iterdir()) == []
    assert not (cache / "kubectl").exists()


def test_a_cache_that_is_no_folder_is_a_clear_error(server: ReleaseServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    sources = server.sources(tmp_path / "file")

    with pytest.raises(ProviderError) as raised:
        resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert str(raised.value) == f"the cache {tmp_path / 'file'} cannot be read: Not a directory"
    assert raised.value.hint == "export E2E_CACHE_DIR=/a/folder/of/yours"


def test_a_cache_without_rights_is_a_clear_error(server: ReleaseServer, cache: Path) -> None:
    resolve(VERSION, sources=server.sources(cache), deadline=within()).get("kubectl", deadline=within())
    is_root = os.geteuid() == 0  # root may read everything, so it becomes nobody once all is imported
    cache.chmod(0o700 if is_root else 0)
    code = f"""
import os, sys
from tests.support.fetch_release import main
{"os.setgid(65534); os.setuid(65534)" if is_root else ""}
sys.exit(main(*sys.argv[1:]))
"""
    argv = [sys.executable, "-c", code, server.root, str(cache), VERSION, "kubectl"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    cache.chmod(0o700)

    assert (done.stdout, done.stderr) == (
        f"ProviderError: the cache {cache} cannot be read: Permission denied\n",
        "",
    )
    assert done.returncode == Outcome.PROVIDER.value.exit_code


def test_a_damaged_entry_is_made_again(server: ReleaseServer, cache: Path) -> None:
    release = resolve(VERSION, sources=server.sources(cache), deadline=within())
    path = release.get("kubectl", deadline=within())
    path.write_bytes(b"")

    again = release.get("kubectl", deadline=within())

    assert (again, again.stat().st_size) == (path, SIZE_BYTES)
