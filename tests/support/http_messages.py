"""A request and an answer as the fault proxy sees them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. ``target``: path and query as written; ``object``: the object's name, if it names one."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    target: str = ""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name), "")

    @property
    def is_upload(self) -> bool:
        return self.path.startswith(("/upload/", "/resumable/")) or "upload_id" in self.query

    @property
    def is_status_query(self) -> bool:
        return self.method == "PUT" and self.header("content-range").startswith("bytes */")

    @property
    def is_compose(self) -> bool:
        return self.method == "POST" and self.path.endswith("/compose")

    @property
    def object(self) -> str:
        if "name" in self.query:
            return self.query["name"][0]
        if "/o/" in self.path:
            return unquote(self.path.split("/o/", 1)[1].removesuffix("/compose"))
        head = self.body[:2000]  # a multipart upload names its object in the JSON part
        return head.split(b'"name": "', 1)[1].split(b'"', 1)[0].decode() if b'"name": "' in head else ""


@dataclass(slots=True)
class Answer:
    """What is answered. Headers without those of one connection."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
