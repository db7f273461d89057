"""Reads a user's kubeconfig, picks one context, and writes it alone into a private file."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from providers.redaction import SHORTEST_SECRET
from upload.errors import UsageError

SIZE_BYTES = 4 * 1024 * 1024
CREDENTIAL_BYTES = 64 * 1024
# what lightkube, our client, does not do; connecting without them would only fail in a stranger way
_UNSUPPORTED = {"cluster": ("proxy-url", "tls-server-name"), "user": ("auth-provider",)}
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1")
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def minified(path: Path, context: str | None) -> dict[str, Any]:
    """Return the kubeconfig with only the chosen context (None: its current one), cluster and user.

    Relative file names become absolute, since the result is written elsewhere. An ``exec`` plugin stays: the file is
    the user's own, and running its plugin is what kubectl does with it.
    Raises: UsageError naming the file, and the nearest context when the asked one is missing.
    """
    document = _load(path)
    chosen = context or document.get("current-context")
    if not isinstance(chosen, str) or not chosen:
        raise UsageError(f"{path} has no current-context", hint="name one in provider.context")
    names = _names(document, "contexts")
    if chosen not in names:
        raise UsageError(f"{path} has no context {chosen!r}", hint=_nearest(chosen, names))
    entry = _entry(document, "contexts", chosen, path)
    cluster = _entry(document, "clusters", str(entry.get("cluster", "")), path)
    user = _entry(document, "users", str(entry["user"]), path) if entry.get("user") else {}
    _refuse_unsupported(path, cluster, user)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": chosen,
        "contexts": [{"name": chosen, "context": {**entry, "cluster": chosen, "user": chosen}}],
        "clusters": [{"name": chosen, "cluster": _absolute(cluster, path.parent)}],
        "users": [{"name": chosen, "user": _absolute(user, path.parent)}],
    }


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_BYTES + 1)
    except OSError as exc:
        raise UsageError(f"kubeconfig {path}: {exc.strerror or exc}", hint="name yours in provider.kubeconfig") from exc
    if len(text) > SIZE_BYTES:
        raise UsageError(f"kubeconfig {path} is larger than {SIZE_BYTES} bytes")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as exc:
        raise UsageError(f"kubeconfig {path} is not YAML: {exc}") from exc
    if not isinstance(document, dict):
        raise UsageError(f"kubeconfig {path} is not a kubeconfig")
    return document


def _entries(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    entries = document.get(section)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _names(document: Mapping[str, Any], section: str) -> list[str]:
    return [str(entry.get("name")) for entry in _entries(document, section)]


def _entry(document: Mapping[str, Any], section: str, name: str, path: Path) -> dict[str, Any]:
    for entry in _entries(document, section):
        value = entry.get(section[:-1])
        if str(entry.get("name")) == name and isinstance(value, dict):
            return value
    raise UsageError(f"{path} has no {section[:-1]} {name!r}, which the context names")


def _nearest(asked: str, names: list[str]) -> str:
    if not names:
        return "the file has no contexts at all"
    near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5) or sorted(names)[:5]
    return f"provider.context: one of {', '.join(near)}"


def _refuse_unsupported(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    for what, section in (("cluster", cluster), ("user", user)):
        for key in _UNSUPPORTED[what]:
            if key in section:
                raise UsageError(f"{path}: the {what} uses {key}, which is not supported")
    plugin = user.get("exec")
    if isinstance(plugin, dict) and plugin.get("apiVersion") not in _EXEC_VERSIONS:
        asked = plugin.get("apiVersion")
        raise UsageError(f"{path}: exec plugins of {asked} are not supported", hint=f"use {_EXEC_VERSIONS[-1]}")


def _absolute(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    result = dict(section)
    for key in _FILE_KEYS:
        if isinstance(result.get(key), str) and result[key]:
            result[key] = str((folder / result[key]).absolute())
    plugin = result.get("exec")
    if isinstance(plugin, dict) and "/" in str(plugin.get("command", "")):
        result["exec"] = {**plugin, "command": str((folder / str(plugin["command"])).absolute())}
    return result


def keep_secrets(path: Path, keep: Callable[[str], None]) -> None:
    """Hand every credential of a kubeconfig that ``write_private`` wrote to ``keep``; without the file, none.

    Files that it names are read too. What a credential plugin returns is not known here.
    """
    try:
        user = json.loads(path.read_bytes())["users"][0]["user"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if not isinstance(user, dict):
        return
    for value in (user.get("token"), user.get("password"), user.get("client-key-data"), *_files(user)):
        if not isinstance(value, str) or len(value) < SHORTEST_SECRET:
            continue
        keep(value)
        if value == user.get("client-key-data"):
            keep(base64.b64decode(value).decode("utf-8", "replace"))


def _files(user: Mapping[str, Any]) -> Iterator[str]:
    for key in ("tokenFile", "client-key"):
        try:
            with Path(str(user[key])).open("rb") as file:
                yield file.read(CREDENTIAL_BYTES).decode("utf-8", "replace").strip()
        except (OSError, KeyError, ValueError):
            continue
