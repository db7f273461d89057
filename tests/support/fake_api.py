"""A Kubernetes API that answers from a table, below the real client: faked at the wire, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from providers.api import Api

Answer = Mapping[str, Any] | int | Exception


def write_kubeconfig(folder: Path, server: str = "http://api.invalid") -> Path:
    """Write a kubeconfig for ``server`` with a token into ``folder`` and return its path."""
    path = folder / "kubeconfig"
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(document))
    return path


def fake_api(folder: Path, answers: Mapping[str, Answer | Callable[[httpx2.Request], Answer]]) -> Api:
    """Return an Api whose server knows ``answers``: path -> JSON object, HTTP status, error, or a function of the request.

    Any other path is a 404.
    """

    def handle(request: httpx2.Request) -> httpx2.Response:
        answer = answers.get(request.url.path, 404)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx2.Response(answer, json={"kind": "Status", "message": f"status {answer}"})
        return httpx2.Response(200, content=json.dumps(answer))

    return Api(write_kubeconfig(folder), transport=httpx2.MockTransport(handle))
