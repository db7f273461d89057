"""A Kubernetes API as JSON, for what typed clients do not offer: discovery, readiness, raw lists of any kind.

Connection and credentials are lightkube's, read from one kubeconfig; library errors are mapped here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml
from lightkube import ConfigError, KubeConfig
from lightkube.config import client_adapter

from upload.errors import ProviderError

CONNECT_S = 5.0
ANSWER_S = 30.0
PAGE = 500
BODY_SHOWN = 300


class ApiRefused(ProviderError):
    """The API server answered with an error. ``status`` is its HTTP status."""

    def __init__(self, what: str, status: int, message: str) -> None:
        super().__init__(f"{what}: HTTP {status}: {message}")
        self.status = status


class ApiUnreachable(ProviderError):
    """There was no answer at all: nothing listens, TLS failed, or it took too long."""


class Api:
    """One cluster's API. Use it as a context manager; it is not shared between threads.

    ``trust_env``: whether proxies of the environment apply; never for a cluster on the loopback address.
    ``transport`` replaces the network in tests.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        trust_env: bool = False,
        answer_s: float = ANSWER_S,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        timeout = httpx2.Timeout(answer_s, connect=min(CONNECT_S, answer_s))
        try:
            config = KubeConfig.from_file(kubeconfig).get()
            assert config is not None
            self.server = config.cluster.server
            params = client_adapter.ConnectionParams(timeout=timeout, trust_env=trust_env, transport=transport)
            self._client = client_adapter.Client(config, params)
        except (ConfigError, OSError, LookupError, ValueError, TypeError, AttributeError, yaml.YAMLError) as exc:
            raise ProviderError(f"{kubeconfig} cannot be used: {exc}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def text(self, path: str) -> str:
        """Return the body of a GET, for endpoints such as ``/readyz``."""
        return self._send("GET", path).text

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the JSON object that a GET answers with."""
        return _json(self._send("GET", path, params=params), path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, or ask a question such as a SelfSubjectAccessReview."""
        return _json(self._send("POST", path, body=body), path)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object or its subresource."""
        return _json(self._send("PUT", path, body=body), path)

    def delete(self, path: str) -> None:
        """Delete an object. One that is not there is fine."""
        try:
            self._send("DELETE", path)
        except ApiRefused as error:
            if error.status != httpx2.codes.NOT_FOUND:
                raise

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[list[dict[str, Any]]]:
        """Yield the items of a list in pages of at most 500, so that memory stays flat."""
        query = {"limit": str(PAGE), **(params or {})}
        while True:
            page = self.get(path, query)
            yield [item for item in page.get("items") or [] if isinstance(item, dict)]
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def _send(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        try:
            response = self._client.request(method, path, params=params, json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL, ConfigError, OSError, ValueError) as exc:
            said = str(exc) or type(exc).__name__
            raise ApiUnreachable(f"{self.server} does not answer {method} {path}: {said}") from exc
        if response.is_success:
            return response
        raise ApiRefused(f"{method} {path}", response.status_code, _reason(response))


def _json(response: httpx2.Response, path: str) -> dict[str, Any]:
    try:
        value = response.json()
    except ValueError as exc:
        raise ProviderError(f"{path}: the answer is not JSON") from exc
    if not isinstance(value, dict):
        raise ProviderError(f"{path}: the answer is not a JSON object")
    return value


def _reason(response: httpx2.Response) -> str:
    try:
        return str(response.json()["message"])[:BODY_SHOWN]
    except (ValueError, KeyError, TypeError):
        return response.text[:BODY_SHOWN]
