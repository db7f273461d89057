from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from providers.releases.sources import Hosts, sources_from_env, without_password
from upload.errors import UsageError


@pytest.mark.parametrize(
    ("env", "cache"),
    [
        ({"E2E_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"E2E_CACHE_DIR": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/federated-e2e"),
        ({"HOME": "/c"}, "/c/.cache/federated-e2e"),
    ],
    ids=["own", "xdg", "home"],
)
def test_the_cache_is_where_the_environment_says(env: dict[str, str], cache: str) -> None:
    assert sources_from_env(env).cache == Path(cache)


def test_without_a_home_the_error_says_what_to_set() -> None:
    with pytest.raises(UsageError) as raised:
        sources_from_env({})

    assert raised.value.hint == "export E2E_CACHE_DIR=/some/folder"


@pytest.mark.parametrize("mirror", ["https://mirror.test/k8s/", "http://127.0.0.1:8000/", "http://localhost:1"])
def test_a_safe_mirror_is_taken_without_its_last_slash(mirror: str) -> None:
    assert sources_from_env({"HOME": "/c", "E2E_MIRROR": mirror}).mirror == mirror.rstrip("/")


@pytest.mark.parametrize("mirror", ["http://mirror.test", "mirror.test", "file:///srv", "https://", "ftp://x", "//x"])
def test_an_open_wire_is_no_mirror(mirror: str) -> None:
    with pytest.raises(UsageError, match="E2E_MIRROR must be an https:// address"):
        sources_from_env({"HOME": "/c", "E2E_MIRROR": mirror})


def test_a_refused_mirror_does_not_show_its_password() -> None:
    with pytest.raises(UsageError) as raised:
        sources_from_env({"HOME": "/c", "E2E_MIRROR": "http://me:secret@mirror.test/?token=secret"})

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h:8/a/b?x=1", "https://h:8/a/b"),
        ("https://h", "https://h"),
        ("https://h/a@b", "https://h/a@b"),
        ("not a url", "not a url"),
    ],
)
def test_what_is_shown_of_an_address_holds_no_secret(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_the_official_hosts_are_https() -> None:
    hosts = Hosts()

    assert all(h.startswith("https://") for h in asdict(hosts).values())
