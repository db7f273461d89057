"""Programs from a server with the official layout: what is taken, from where, and what is refused."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from providers.contracts import Deadline, Download
from providers.releases.download import WrongChecksum
from providers.releases.programs import PROGRAMS
from providers.releases.release import Origin
from providers.releases.sources import Platform, Progress
from providers.releases.versions import resolve
from providers.releases.wire import Wire
from tests.support.release_server import COREDNS, ETCD, KWOK, LINUX, ReleaseServer, script, serving, sha256
from upload.errors import DeadlineExceeded, ProviderError

VERSION = "v1.36.3"
KUBECTL = f"/release/{VERSION}/bin/linux/amd64/kubectl"
OLDER, ARM = "v1.33.5", Platform("linux", "arm64")
KUBELET_ARM = f"/release/{VERSION}/bin/{ARM}/kubelet"
ETCD_ARCHIVE = f"/etcd-io/etcd/releases/download/{ETCD}/etcd-{ETCD}-linux-amd64.tar.gz"


def within(seconds: float = 20.0) -> Deadline:
    return Deadline.after(seconds, "fetching")


def entries(cache: Path) -> list[str]:
    return sorted(str(p.relative_to(cache)) for p in cache.glob("*/*/*") if p.parts[-3] not in ("tmp", "locks"))


def left_over(cache: Path) -> list[Path]:
    return list((cache / "tmp").iterdir()) if (cache / "tmp").exists() else []


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    with serving() as release:
        release.put_all(VERSION)
        yield release


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_every_program_comes_from_its_official_place_and_then_from_the_cache(
    server: ReleaseServer, cache: Path
) -> None:
    release = resolve(VERSION, sources=server.sources(cache), deadline=within())

    first = release.ensure(PROGRAMS, deadline=within())
    asked = list(server.asked)
    again = release.ensure(PROGRAMS, deadline=within())

    expected = {
        name: script(name, {"etcd": ETCD, "kwok": KWOK, "coredns": COREDNS}.get(p.project, VERSION))
        for name, p in PROGRAMS.items()
    }
    assert {name: path.read_bytes() for name, path in first.items()} == expected
    assert (again, server.asked) == (first, asked)
    assert {oct(path.stat().st_mode & 0o777) for path in first.values()} == {"0o700"}
    assert oct(cache.stat().st_mode & 0o777) == "0o700"
    assert left_over(cache) == []


def test_a_machine_may_fetch_what_is_published_by_itself(server: ReleaseServer, cache: Path) -> None:
    release = resolve(VERSION, sources=server.sources(cache), deadline=within())
    sum_of = sha256(script("kubectl", VERSION))

    assert release.published("kubectl", deadline=within()) == Download(f"{server.root}{KUBECTL}", sum_of)
    assert (server.asked, entries(cache)) == ([f"GET {KUBECTL}.sha256"], [])


@pytest.mark.parametrize(
    ("program", "changes"),
    [
        ("etcd", {}),
        ("e2e.test", {}),
        ("kubectl", {"offline": True}),
        ("kube-apiserver", {"platform": Platform("darwin", "arm64")}),
        ("kubelet", {}),
    ],
    ids=["in-an-archive", "in-a-bundle", "offline", "not-for-this-platform", "without-a-checksum"],
)
def test_what_is_not_published_as_it_is_must_be_brought(
    program: str, changes: dict[str, object], server: ReleaseServer, cache: Path
) -> None:
    del server.files[f"/release/{VERSION}/bin/linux/amd64/kubelet.sha256"]
    release = resolve(VERSION, sources=server.sources(cache, **changes), deadline=within())

    assert release.published(program, deadline=within()) is None


def test_machines_of_another_kind_get_programs_of_their_own(server: ReleaseServer, cache: Path) -> None:
    server.put_kubernetes(VERSION, size_bytes=200, platform=ARM)  # other bytes than this machine's
    ours = resolve(VERSION, sources=server.sources(cache), deadline=within())
    theirs = ours.other(platform="linux/arm64", deadline=within())
    older = theirs.other(OLDER, deadline=within())
    server.put_kubernetes(OLDER, size_bytes=300, platform=ARM)
    body = script("kubelet", VERSION, 200)

    brought = theirs.ensure(("kubelet", "e2e.test"), deadline=within())
    asked = list(server.asked)

    assert brought["kubelet"].read_bytes() == body
    assert brought["e2e.test"].read_bytes() == script("e2e.test", VERSION, 200)
    assert theirs.published("kubelet", deadline=within()) == Download(f"{server.root}{KUBELET_ARM}", sha256(body))
    assert older.get("kubelet", deadline=within()).read_bytes() == script("kubelet", OLDER, 300)
    assert ours.get("kubelet", deadline=within()).read_bytes() == script("kubelet", VERSION)
    assert [path for path in asked if "amd64" in path] == []
    assert theirs.ensure(("kubelet", "e2e.test"), deadline=within()) == brought


@pytest.mark.parametrize("layout", ["official", "flat"])
def test_directory_of_the_user_tells_platforms_apart_where_it_can(
    layout: str, server: ReleaseServer, cache: Path
) -> None:
    place = f"/mine/{VERSION}" + (f"/bin/{ARM}" if layout == "official" else "")
    server.put(f"{place}/kubelet", script("kubelet", "mine"))
    release = resolve(f"{server.root}/mine/{VERSION}", sources=server.sources(cache), deadline=within())

    found = release.other(platform="linux/arm64", deadline=within()).published("kubelet", deadline=within())

    assert found == Download(f"{server.root}{place}/kubelet", sha256(script("kubelet", "mine")))


ELF = b"\x7fELF\x02\x01\x01" + bytes(11)


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_program_of_another_processor_in_a_flat_directory_is_refused(
    scheme: str, server: ReleaseServer, cache: Path, tmp_path: Path
) -> None:
    """It would end with an exec format error on each machine."""
    folder = tmp_path / VERSION
    folder.mkdir()
    for name, machine in (("kubelet", b"\xb7\x00"), ("kubectl", b"\x3e\x00")):
        (folder / name).write_bytes(ELF + machine)
        (folder / name).chmod(0o755)
        server.put(f"/mine/{VERSION}/{name}", ELF + machine)
    place = folder.as_uri() if scheme == "file" else f"{server.root}/mine/{VERSION}"
    release = resolve(place, sources=server.sources(cache), deadline=within())

    assert release.get("kubectl", deadline=within()).read_bytes() == ELF + b"\x3e\x00"
    with pytest.raises(ProviderError, match="kubelet is for arm64, not for linux/amd64"):
        release.get("kubelet", deadline=within())


def test_where_the_official_host_has_nothing_the_mirror_is_named(server: ReleaseServer, cache: Path) -> None:
    with serving() as empty:
        sources = replace(empty.sources(cache), mirror=server.root)
        found = resolve(VERSION, sources=sources, deadline=within()).published("kubectl", deadline=within())

    assert found == Download(f"{server.root}{KUBECTL}", sha256(script("kubectl", VERSION)))


def test_the_archive_of_the_test_programs_is_fetched_once_for_both(server: ReleaseServer, cache: Path) -> None:
    release = resolve(VERSION, sources=server.sources(cache), deadline=within())

    paths = release.ensure(("ginkgo", "kubectl", "e2e.test"), deadline=within())

    archive = f"/release/{VERSION}/kubernetes-test-linux-amd64.tar.gz"
    assert {name: path.read_bytes() for name, path in paths.items()} == {
        name: script(name, VERSION) for name in ("ginkgo", "kubectl", "e2e.test")
    }
    assert (server.count("GET", archive), server.count("GET", KUBECTL), left_over(cache)) == (1, 1, [])


def test_progress_is_told_in_bytes_by_the_waiting_thread(server: ReleaseServer, cache: Path) -> None:
    told: list[Progress] = []
    server.put_kubernetes(VERSION, size_bytes=3_000_000)
    sources = server.sources(cache, progress=told.append)

    resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert told[-1] == Progress("kubectl", 3_000_000, 3_000_000, "bytes")


def test_a_wrong_checksum_is_refused_and_nothing_else_is_tried(server: ReleaseServer, cache: Path) -> None:
    server.put(KUBECTL, b"evil", published=sha256(b"good"))
    sources = server.sources(cache, mirror=server.root)

    with pytest.raises(WrongChecksum) as raised:
        resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert str(raised.value) == (
        f"{server.root}{KUBECTL} is not what was published: its SHA-256 is {sha256(b'evil')}, "
        f"published is {sha256(b'good')}"
    )
    assert (server.count("GET", KUBECTL), entries(cache), left_over(cache)) == (1, [], [])


def test_a_wrong_checksum_of_one_program_leaves_the_good_ones_in_no_doubt(server: ReleaseServer, cache: Path) -> None:
    server.put(KUBECTL, b"evil", published=sha256(b"good"))
    release = resolve(VERSION, sources=server.sources(cache), deadline=within())

    with pytest.raises(WrongChecksum):
        release.ensure(("kubectl", "kube-scheduler"), deadline=within())

    assert [entry for entry in entries(cache) if entry.startswith("kubectl")] == []


FAULTS = {
    "checksum-missing": lambda s: s.files.pop(f"{KUBECTL}.sha256"),
    "checksum-is-html": lambda s: s.files.update({f"{KUBECTL}.sha256": b"<html>sign in</html>"}),
    "program-missing": lambda s: s.files.pop(KUBECTL),
    "forbidden": lambda s: s.fail(KUBECTL, 403),
    "always-busy": lambda s: s.fail(KUBECTL, 503),
    "always-cut": lambda s: s.cut(KUBECTL),
    "redirect-loop": lambda s: s.redirect(KUBECTL, KUBECTL),
    "redirect-to-an-open-wire": lambda s: s.redirect(KUBECTL, "http://192.0.2.1/kubectl"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_failing_official_host_is_named_and_the_mirror_serves(fault, cache: Path) -> None:  # type: ignore[no-untyped-def]
    with serving() as official, serving() as mirror:
        official.put_all(VERSION)
        mirror.put_all(VERSION)
        fault(official)
        alone = resolve(VERSION, sources=official.sources(cache / "a"), deadline=within())
        with pytest.raises(ProviderError, match=r"(?s)kubectl v1\.36\.3 .*cache: not there.*official: http://127"):
            alone.get("kubectl", deadline=within())
        assert entries(cache / "a") == []

        sources = official.sources(cache / "b", mirror=mirror.root)
        path = resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert path.read_bytes() == script("kubectl", VERSION)


@pytest.mark.parametrize("fault", ["cut", "fail"])
def test_a_fault_that_passes_is_tried_again(fault: str, server: ReleaseServer, cache: Path) -> None:
    if fault == "cut":
        server.cut(KUBECTL, times=2)
    else:
        server.fail(KUBECTL, 503, times=2)

    path = resolve(VERSION, sources=server.sources(cache), deadline=within()).get("kubectl", deadline=within())

    assert path.read_bytes() == script("kubectl", VERSION)
    assert server.count("GET", KUBECTL) == 3


def test_a_mirror_has_the_same_layout_with_checksum_files_for_kwok(cache: Path) -> None:
    with serving() as nobody, serving() as mirror:
        mirror.put_all(VERSION)
        path = f"/kubernetes-sigs/kwok/releases/download/{KWOK}/kwok-linux-amd64"
        mirror.put(path, script("kwok", KWOK))
        release = resolve(VERSION, sources=nobody.sources(cache, mirror=mirror.root), deadline=within())

        got = release.ensure(("kwok", "etcd", "kube-apiserver"), deadline=within())

    assert sorted(got) == ["etcd", "kube-apiserver", "kwok"]


def test_a_redirect_to_another_host_is_followed(server: ReleaseServer, cache: Path) -> None:
    with serving() as other:
        other.files["/cdn/kubectl"] = script("kubectl", VERSION)
        server.redirect(KUBECTL, f"{other.root}/cdn/kubectl")

        path = resolve(VERSION, sources=server.sources(cache), deadline=within()).get("kubectl", deadline=within())

    assert path.read_bytes() == script("kubectl", VERSION)


def test_an_archive_without_the_program_is_a_clear_error(server: ReleaseServer, cache: Path) -> None:
    server.files[ETCD_ARCHIVE] = b"not an archive"
    sums = f"{sha256(b'not an archive')}  {ETCD_ARCHIVE.rpartition('/')[2]}\n"
    server.files[f"{ETCD_ARCHIVE.rpartition('/')[0]}/SHA256SUMS"] = sums.encode()

    with pytest.raises(ProviderError, match="etcd cannot be taken out of it"):
        resolve(VERSION, sources=server.sources(cache), deadline=within()).get("etcd", deadline=within())


def test_a_host_that_does_not_answer_is_asked_once_for_all_programs(cache: Path) -> None:
    import socket

    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for client in (first, second):  # they fill the queue: the kernel drops what comes next
            client.setblocking(False)
            client.connect_ex(silent.getsockname())
        dead = ReleaseServer(f"http://127.0.0.1:{silent.getsockname()[1]}")
        sources = dead.sources(cache, connect_s=0.4)
        release = resolve(VERSION, sources=sources, deadline=within())
        for _ in range(2):
            with pytest.raises(ProviderError, match=r"no connection within 0\.4 s"):
                release.ensure(PROGRAMS, deadline=within())

    assert len(sources.reach) == 1


def test_a_stalled_download_ends_at_the_deadline_and_leaves_nothing(server: ReleaseServer, cache: Path) -> None:
    server.stall(KUBECTL)
    release = resolve(VERSION, sources=server.sources(cache, stall_s=30.0), deadline=within())

    with pytest.raises(DeadlineExceeded):
        release.get("kubectl", deadline=within(1.0))

    assert (entries(cache), left_over(cache)) == ([], [])


def test_a_stall_is_a_failure_of_its_source_only(server: ReleaseServer, cache: Path) -> None:
    server.stall(KUBECTL)
    with serving() as mirror:
        mirror.put_all(VERSION)
        sources = server.sources(cache, stall_s=0.2, mirror=mirror.root)
        path = resolve(VERSION, sources=sources, deadline=within()).get("kubectl", deadline=within())

    assert path.read_bytes() == script("kubectl", VERSION)


def test_without_go_and_network_the_error_names_each_source_and_what_to_do(tmp_path: Path) -> None:
    dead = ReleaseServer("http://127.0.0.1:9")
    release = resolve("v1.34.0", sources=dead.sources(tmp_path / "cache"), deadline=within())

    with pytest.raises(ProviderError) as raised:
        release.ensure(("kubectl", "kube-scheduler", "kwok"), deadline=within())

    assert str(raised.value) == (
        "kubectl v1.34.0, kube-scheduler v1.34.0 for linux/amd64 cannot be had:\n"
        "  cache: not there\n"
        "  official: 127.0.0.1: no connection (Connection refused)\n"
        "  go build: v1.34.0 is not pinned; pinned: v1.33.5, v1.35.4, v1.36.3\n"
        "kwok v0.8.0 for linux/amd64 cannot be had:\n"
        "  cache: not there\n"
        "  official: 127.0.0.1: no connection (Connection refused)\n"
        "  go build: not begun, because kubectl, kube-scheduler cannot be built"
    )
    assert raised.value.hint == "make go-pins VERSION=v1.34.0; or export E2E_MIRROR=https://your.mirror"


def test_without_go_the_error_of_a_pinned_version_says_so(tmp_path: Path) -> None:
    dead = ReleaseServer("http://127.0.0.1:9")
    release = resolve(VERSION, sources=dead.sources(tmp_path / "cache"), deadline=within())

    with pytest.raises(ProviderError) as raised:
        release.ensure(("kubectl",), deadline=within())

    assert str(raised.value).endswith("\n  go build: there is no go on PATH")
    assert raised.value.hint == "install Go 1.26 or newer from go.dev/dl; or export E2E_MIRROR=https://your.mirror"


def test_offline_nothing_is_asked(server: ReleaseServer, cache: Path) -> None:
    release = resolve("release/stable", sources=server.sources(cache, offline=True), deadline=within())

    with pytest.raises(ProviderError, match="the network is off"):
        release.get("kubectl", deadline=within())

    assert (release.version, release.source) == (VERSION, "pinned (offline, asked for release/stable)")
    assert server.asked == []


def test_the_origin_is_told_without_fetching(server: ReleaseServer, cache: Path) -> None:
    with serving() as mirror:
        mirror.put_all(VERSION)
        del server.files[KUBECTL]
        server.files.pop(ETCD_ARCHIVE)
        mirror.files.pop(ETCD_ARCHIVE)
        release = resolve(VERSION, sources=server.sources(cache, mirror=mirror.root), deadline=within())
        path = release.get("kube-scheduler", deadline=within())
        before = list(server.asked)

        origins = {
            p: release.origin(p, deadline=within()) for p in ("kube-scheduler", "kube-apiserver", "kubectl", "etcd")
        }

    scheduler = f"/release/{VERSION}/bin/linux/amd64/kube-scheduler"
    origin = f"{server.root}{scheduler} sha256:{sha256(server.files[scheduler])}"
    assert origins == {
        "kube-scheduler": Origin("cache", f"{path} ({origin})"),
        "kube-apiserver": Origin("official", f"{server.root}/release/{VERSION}/bin/linux/amd64/kube-apiserver"),
        "kubectl": Origin("mirror", f"{mirror.root}{KUBECTL}"),
        "etcd": Origin("nowhere", "official: not there; mirror: not there; there is no go on PATH"),
    }
    assert {line.split()[0] for line in server.asked[len(before) :]} == {"HEAD"}


# directories of the user


@pytest.mark.parametrize("flat", [False, True], ids=["official-layout", "flat"])
def test_an_https_directory_serves_only_what_is_verified(
    flat: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    place = "/mine" if flat else "/mine/bin/linux/amd64"
    with serving(context) as directory, serving() as official:
        directory.files["/mine/version"] = b"v1.37.0-mine\n"
        directory.put(f"{place}/kubectl", script("kubectl", "first"))
        official.put_etcd()
        sources = official.sources(tmp_path / "cache")
        release = resolve(f"{directory.root}/mine/", sources=sources, deadline=within())
        first = release.get("kubectl", deadline=within())
        directory.put(f"{place}/kubectl", script("kubectl", "second"))
        second = release.get("kubectl", deadline=within())
        directory.files.pop(f"{place}/kubectl.sha256")
        with pytest.raises(
            ProviderError, match=r"(?s)directory: .*404.*go build: nothing but https://.* is that version"
        ):
            release.get("kubectl", deadline=within())
        etcd = release.get("etcd", deadline=within())

    assert (release.version, release.source) == ("v1.37.0-mine", f"{directory.root}/mine")
    assert first.read_bytes() == script("kubectl", "first")
    assert second.read_bytes() == script("kubectl", "second")
    assert etcd.read_bytes() == script("etcd", ETCD)


def test_a_way_from_https_to_http_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(context) as secure, serving() as open_wire:
        secure.redirect("/a", f"{open_wire.root}/a")
        open_wire.files["/a"] = b"text"
        with (
            closing(Wire(secure.sources(tmp_path))) as wire,
            pytest.raises(ProviderError, match="redirects from https to http://"),
        ):
            wire.document(f"{secure.root}/a", within())

    assert open_wire.asked == []


@pytest.mark.parametrize("flat", [False, True], ids=["official-layout", "flat"])
def test_a_file_directory_is_used_where_it_lies_and_recorded_as_unverified(flat: bool, tmp_path: Path) -> None:
    folder = tmp_path / "v1.36.9"
    place = folder if flat else folder / "bin/linux/amd64"
    place.mkdir(parents=True)
    program = place / "kubectl"
    program.write_bytes(script("kubectl", "mine"))
    sources = ReleaseServer("http://127.0.0.1:9").sources(tmp_path / "cache", platform=LINUX)
    release = resolve(folder.as_uri(), sources=sources, deadline=within())

    with pytest.raises(ProviderError, match="is not executable") as not_executable:
        release.get("kubectl", deadline=within())
    program.chmod(0o755)
    path = release.get("kubectl", deadline=within())
    program.with_name("kubectl.sha256").write_text(f"{sha256(b'other')}  kubectl\n")
    with pytest.raises(WrongChecksum, match=r"kubectl\.sha256 says"):
        release.get("kubectl", deadline=within())
    with pytest.raises(ProviderError, match="has neither bin/linux/amd64/kube-scheduler nor kube-scheduler"):
        release.get("kube-scheduler", deadline=within())

    assert (release.version, release.source, path) == ("v1.36.9", "file (unverified)", program)
    assert not_executable.value.hint == f"chmod +x {program}"
