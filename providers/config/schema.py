"""The JSON Schema of a job's file, for editors: completion, hover texts and red lines while typing."""

from __future__ import annotations

from typing import Any

from providers import registry
from providers.config.model import JobConfig
from providers.config.rules import DURATION_PATTERN, duration_text
from upload.errors import UsageError


def job_schema() -> dict[str, Any]:
    """Return the schema of one file. Only ``job`` is required: ``party.yaml`` may hold any other key.

    The section ``provider`` takes the settings of whichever provider is named, ``suite`` those of any tester; what does
    not load is left out.
    """
    schema = JobConfig.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, Any] = schema["$defs"]
    for section in definitions.values():
        section.pop("required", None)
    for timeout in definitions["Timeouts"]["properties"].values():
        timeout.update(pattern=DURATION_PATTERN, default=duration_text(timeout["default"]))
    definitions["ProviderChoice"] = _provider_schema(definitions)
    _add_testers_keys(definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "required": ["job"]}


def _provider_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    choices = []
    for name in registry.provider_names():
        try:
            settings = registry.provider_type(name).Settings
        except UsageError:
            continue
        inner = settings.model_json_schema(by_alias=True, ref_template=f"#/$defs/{name}.{{model}}")
        definitions.update({f"{name}.{key}": value for key, value in inner.pop("$defs", {}).items()})
        inner["properties"] = {"name": {"const": name}, **inner.get("properties", {})}
        inner["required"] = ["name"]
        choices.append(inner)
    return {"type": "object", "description": "who makes the cluster, with its settings", "oneOf": choices}


def _add_testers_keys(definitions: dict[str, Any]) -> None:
    keys: dict[str, Any] = definitions["Suite"]["properties"]
    del keys["settings"]
    for name in registry.plugin_names(registry.TESTERS):
        try:
            inner = registry.tester_settings(name).model_json_schema(
                by_alias=True, ref_template=f"#/$defs/{name}.{{model}}"
            )
        except UsageError:
            continue
        definitions.update({f"{name}.{key}": value for key, value in inner.pop("$defs", {}).items()})
        for key, value in inner.get("properties", {}).items():
            keys.setdefault(key, {**value, "description": f"tester {name}: {value.get('description', '')}"})
