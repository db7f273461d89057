from __future__ import annotations

import pytest

from dashboard_feed.notify import Webhook, make_webhook
from upload.errors import UsageError


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://hooks.example.com/services/T0/B0/secret", ""),
        ("https://hooks.example.com:8443/x?key=secret", "token"),
        ("http://127.0.0.1:9/x", "token"),
        ("http://alerts.example.com/x", ""),
    ],
)
def test_a_web_address_is_taken_and_shown_without_its_secrets(url: str, token: str) -> None:
    webhook = make_webhook(url, token)

    assert webhook == Webhook(url, token)
    assert "secret" not in webhook.shown + repr(webhook)
    assert webhook.shown == "/".join(url.split("/")[:3]) + "/…"


@pytest.mark.parametrize(
    ("url", "token", "message"),
    [
        ("ftp://example.com/", "", "no http"),
        ("https:///x", "", "no http"),
        ("https://[::1", "", "no http"),
        ("https://example.com:0x/", "", "no http"),
        ("https://example.com/a b", "", "no http"),
        ("https://ex\u0430mple.com/", "", "no http"),
        ("https://me:secret@example.com/", "", "a user or a password"),
        ("http://example.com/", "token", "over https:// only"),
        ("https://example.com/", "to\nken", "no header can carry"),
    ],
)
def test_another_address_is_refused_and_not_repeated(url: str, token: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_webhook(url, token)

    assert url not in str(caught.value)
