"""Put a dashboard into a dashboard group of somebody's configuration. Everything else in the file stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml


def group_names(content: bytes, path: str) -> tuple[str, ...]:
    """Return the names of the dashboard groups in a file. Raises UsageError for what is no YAML."""
    return tuple(name for name, _ in _groups(content, path))


def with_dashboard(content: bytes, group: str, dashboard: str, path: str) -> bytes:
    """Return the file with the dashboard in its group, behind the others; unchanged where it stands there already.

    Raises: UsageError when the file does not have the group, or writes it in a way that nothing can be put into.
    """
    from yaml import ScalarNode

    names = next((node for name, node in _groups(content, path) if name == group), None)
    if names is None or not names.value or not all(isinstance(each, ScalarNode) for each in names.value):
        raise UsageError(f"{path}: dashboard group {group} has no list of names", hint="add it with an editor")
    if any(each.value == dashboard for each in names.value):
        return content
    text = content.decode("utf-8")
    last = names.value[-1]
    if names.flow_style:
        cut, put = last.end_mark.index, f", {dashboard}"
    else:
        line_start = last.start_mark.index - last.start_mark.column
        cut = text.find("\n", last.end_mark.index)
        cut = len(text) if cut < 0 else cut
        put = f"\n{text[line_start : last.start_mark.index]}{dashboard}"
    new = f"{text[:cut]}{put}{text[cut:]}".encode()
    if _plain(new, path) != _added(_plain(content, path), group, dashboard):
        raise UsageError(f"{path}: nothing can be put into what is written so", hint="add it with an editor")
    return new


def _groups(content: bytes, path: str) -> Iterator[tuple[str, yaml.SequenceNode]]:
    """Yield the groups of a file with the node of their dashboards' names."""
    from yaml import MappingNode, SequenceNode

    for key, value in _pairs(_composed(content, path)):
        if key == "dashboard_groups" and isinstance(value, SequenceNode):
            for each in value.value:
                fields = dict(_pairs(each))
                name, names = fields.get("name"), fields.get("dashboard_names")
                if isinstance(each, MappingNode) and name is not None and isinstance(names, SequenceNode):
                    yield str(name.value), names


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    from yaml import MappingNode

    if isinstance(node, MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)


def _composed(content: bytes, path: str) -> yaml.Node | None:
    import yaml

    try:  # marks of the C loader have no index
        return yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not YAML: {(str(error).splitlines() or [''])[0]}") from error


def _plain(content: bytes, path: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(content.decode("utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: nothing can be put into what is written so", hint="add it with an editor") from error


def _added(told: Any, group: str, dashboard: str) -> Any:
    groups = [
        {**each, "dashboard_names": [*each["dashboard_names"], dashboard]} if each.get("name") == group else each
        for each in told["dashboard_groups"]
    ]
    return {**told, "dashboard_groups": groups}
