from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from providers.ssh.access import Endpoint
from providers.ssh.hostkeys import HostKeys, normal_key, parse_pins, pin_line, public_text
from providers.ssh.link import host_key_algorithms
from upload.errors import ProviderError, UsageError

ONE, OTHER = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
ENDPOINTS = (Endpoint("w1"), Endpoint("w1", 2222), Endpoint("::1", 2222))


def test_pins_are_read_as_they_are_written() -> None:
    text = "".join(pin_line(endpoint, public_text(ONE)) for endpoint in ENDPOINTS)

    assert parse_pins(text) == {name: public_text(ONE) for name in ("w1", "[w1]:2222", "[::1]:2222")}


def test_the_first_key_is_accepted_and_then_no_other(tmp_path: Path) -> None:
    keys = HostKeys(tmp_path / "pins")

    assert [keys.accept(ENDPOINTS[0], key) for key in (ONE, OTHER, ONE)] == [True, False, True]
    assert HostKeys(tmp_path / "pins").expected(ENDPOINTS[0]) == public_text(ONE)
    assert keys.accept(ENDPOINTS[1], OTHER), "another port is another machine"


def test_a_given_key_is_not_pinned(tmp_path: Path) -> None:
    keys = HostKeys(tmp_path / "pins")
    given = Endpoint("w1", host_key=f"{public_text(ONE)} root@w1")

    assert [keys.accept(given, key) for key in (ONE, OTHER)] == [True, False]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["one two\n", "a b c d\n", "\n", "\xff a b"], ids=["two", "four", "empty", "binary"])
def test_a_file_that_is_none_is_an_error_and_no_first_use(text: str, tmp_path: Path) -> None:
    (tmp_path / "pins").write_bytes(text.encode("latin-1"))

    with pytest.raises(ProviderError, match="pins: "):
        HostKeys(tmp_path / "pins").accept(ENDPOINTS[0], ONE)


@pytest.mark.parametrize("text", ["", "nonsense", "ssh-ed25519 AAAA", "ssh-ed25519"])
def test_a_given_key_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="host key of w1: not a public key"):
        normal_key(text, "host key of w1")


@pytest.mark.parametrize(
    ("expected", "first"),
    [("", "ssh-ed25519"), ("ecdsa-sha2-nistp384 AA", "ecdsa-sha2-nistp384"), ("ssh-rsa AA", "rsa-sha2-512")],
    ids=["unknown", "ecdsa", "rsa"],
)
def test_the_type_of_the_known_key_is_asked_for_first(expected: str, first: str) -> None:
    algorithms = host_key_algorithms(expected)

    assert (algorithms[0], len(algorithms)) == (first, 6)
