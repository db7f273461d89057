from __future__ import annotations

from pathlib import Path

import pytest

from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile


@pytest.mark.parametrize(
    ("endpoint", "text", "pin_name"),
    [
        (Endpoint("w1.example"), "w1.example", "w1.example"),
        (Endpoint("w1.example", 2222), "w1.example:2222", "[w1.example]:2222"),
        (Endpoint("2001:db8::1"), "2001:db8::1", "2001:db8::1"),
        (Endpoint("2001:db8::1", 2222), "[2001:db8::1]:2222", "[2001:db8::1]:2222"),
    ],
    ids=str,
)
def test_how_endpoints_are_written(endpoint: Endpoint, text: str, pin_name: str) -> None:
    assert (str(endpoint), endpoint.pin_name) == (text, pin_name)


def test_how_messages_call_things() -> None:
    said = [str(thing) for thing in (KeyFile(Path("/k")), Agent(Path("/s")), Jump(Endpoint("::1", 22), "me"))]

    assert said == ["the key /k", "a key of the agent /s", "jump host me@::1"]


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Access("me", KeyFile(Path("/k")), sudo_password="hunter2"))
