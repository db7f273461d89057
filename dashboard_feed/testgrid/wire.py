"""TestGrid's messages, field by field, and their encoding. The table is all that there is of its ``.proto`` files here.

Source: GoogleCloudPlatform/testgrid v0.0.123, pb/state/state.proto and pb/summary/summary.proto; only fields that are
written. protobuf makes the classes from the table when they are first needed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# message -> field -> (number, type); a type of the table is a message, and ``*`` behind a type means many
MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "Metric": {"name": (1, "string"), "indices": (2, "int32*"), "values": (3, "double*")},
    "AlertInfo": {
        "fail_count": (1, "int32"),
        "fail_build_id": (2, "string"),
        "fail_time": (3, "Timestamp"),
        "pass_build_id": (5, "string"),
        "pass_time": (6, "Timestamp"),
        "failure_message": (7, "string"),
        "latest_fail_build_id": (11, "string"),
    },
    "Column": {"build": (1, "string"), "started": (3, "double"), "extra": (4, "string*"), "hint": (6, "string")},
    "Property": {},
    "Row": {
        "name": (1, "string"),
        "id": (2, "string"),
        "results": (3, "int32*"),
        "cell_ids": (4, "string*"),
        "messages": (5, "string*"),
        "metric": (7, "string*"),
        "metrics": (8, "Metric*"),
        "icons": (9, "string*"),
        "alert_info": (11, "AlertInfo"),
        "properties": (13, "Property*"),
    },
    "Grid": {"columns": (1, "Column*"), "rows": (2, "Row*"), "last_time_updated": (6, "double")},
    "FailingTestSummary": {
        "display_name": (1, "string"),
        "test_name": (2, "string"),
        "fail_build_id": (3, "string"),
        "fail_timestamp": (4, "double"),
        "pass_build_id": (5, "string"),
        "pass_timestamp": (6, "double"),
        "fail_count": (7, "int32"),
        "failure_message": (11, "string"),
        "fail_test_link": (13, "string"),
        "latest_fail_build_id": (14, "string"),
        "latest_fail_test_link": (17, "string"),
    },
    "DashboardTabSummary": {
        "dashboard_name": (1, "string"),
        "dashboard_tab_name": (2, "string"),
        "alert": (3, "string"),
        "failing_test_summaries": (4, "FailingTestSummary*"),
        "last_update_timestamp": (5, "double"),
        "status": (6, "string"),
        "overall_status": (7, "int32"),
        "latest_green": (8, "string"),
        "last_run_timestamp": (9, "double"),
    },
    "DashboardSummary": {"tab_summaries": (1, "DashboardTabSummary*")},
}
PACKAGE = "federated_e2e_testgrid"


def encode(message: str, value: Mapping[str, object]) -> bytes:
    """Return a message of the table as bytes; ``value`` holds its fields, messages in it as mappings.

    The same value gives the same bytes. Raises: ValueError, TypeError for a value that no field takes: a bug of ours.
    """
    made: bytes = _classes()[message](**value).SerializeToString(deterministic=True)
    return made


@cache
def _classes() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for key, (number, told) in fields.items():
            kind, label = told.removesuffix("*"), field.LABEL_REPEATED if told.endswith("*") else field.LABEL_OPTIONAL
            if kind in MESSAGES:
                whole = f".{PACKAGE}.{kind}"
                message.field.add(name=key, number=number, label=label, type=field.TYPE_MESSAGE, type_name=whole)
            else:
                plain = getattr(field, f"TYPE_{kind.upper()}")
                message.field.add(name=key, number=number, label=label, type=plain)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}
