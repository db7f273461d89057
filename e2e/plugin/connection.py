"""Connections to one cluster's API server, with lightkube's reading of the kubeconfig."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from lightkube import Client, ConfigError, KubeConfig
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig

from providers.api import Api
from upload.errors import ProviderError

ANSWER_S = 20.0
CONNECT_S = 5.0
TIMEOUT = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
FIELD_MANAGER = "e2e"


def read_config(kubeconfig: Path) -> SingleConfig:
    """Return the current context's server and credentials. Raises ProviderError when there is none."""
    try:
        config = KubeConfig.from_file(kubeconfig).get()
    except (ConfigError, OSError, KeyError, TypeError, ValueError) as exc:
        raise ProviderError(f"{kubeconfig} cannot be used: {exc}") from exc
    assert config is not None  # only where a default is given
    return config


def open_client(config: SingleConfig) -> Client:
    """Return a typed client. It has no rate limit of its own; a request ends after 20 s."""
    return Client(config, timeout=TIMEOUT, field_manager=FIELD_MANAGER, trust_env=may_use_proxy(config))


def open_http(config: SingleConfig) -> httpx2.Client:
    """Return a plain client whose paths are relative to the server."""
    params = client_adapter.ConnectionParams(timeout=TIMEOUT, trust_env=may_use_proxy(config))
    return client_adapter.Client(config, params)


def open_api(kubeconfig: Path, *, answer_s: float = ANSWER_S) -> Api:
    """Return the providers' client of JSON objects. Raises ProviderError when the kubeconfig cannot be used."""
    return Api(kubeconfig, answer_s=answer_s, trust_env=may_use_proxy(read_config(kubeconfig)))


def may_use_proxy(config: SingleConfig) -> bool:
    """Say whether proxies of the environment apply: never for a server on the loopback address."""
    host = urlsplit(config.cluster.server).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
