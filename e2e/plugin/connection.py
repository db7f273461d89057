"""A plain HTTP client of one cluster's API server, with lightkube's reading of the kubeconfig."""

from __future__ import annotations

from pathlib import Path

import httpx2
from lightkube import KubeConfig
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig

from upload.errors import ProviderError

ANSWER_S = 20.0
CONNECT_S = 5.0
TIMEOUT = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)


def read_config(kubeconfig: Path) -> SingleConfig:
    """Return the current context's server and credentials. Raises ProviderError where there is none."""
    config = KubeConfig.from_file(kubeconfig).get()
    if config is None:
        raise ProviderError(f"{kubeconfig} has no current context")
    return config


def open_http(config: SingleConfig) -> httpx2.Client:
    """Return a client whose paths are relative to the server. No proxy of the environment is used."""
    return client_adapter.Client(config, client_adapter.ConnectionParams(timeout=TIMEOUT, trust_env=False))
