"""What the real bucket does and fake-gcs-server does not, kept by the proxy in front, which sees every byte. Source: gcs.md.

- a status query of an upload session is answered, not taken for the end of the upload;
- bytes of a session that are sent again are dropped; the answer to a finished session is given again;
- ``ifGenerationMatch`` and ``ifGenerationNotMatch`` hold for GET, DELETE and compose too.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from tests.support.http_messages import Answer, Request

PIECE_UNIT_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")

Forward = Callable[[Request], Answer]


@dataclass(slots=True)
class _Session:
    kept: int = 0
    done: Answer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Rules:
    """The state of the sessions that went through one proxy."""

    sessions: dict[str, _Session] = field(default_factory=dict)

    def forward(self, request: Request, upstream: Forward, *, half: bool = False) -> Answer:
        """Return the answer to a request as the real bucket would give it. ``half``: only half of a piece arrives."""
        upload_id = request.query.get("upload_id", [""])[0]
        if request.method == "PUT" and upload_id in self.sessions:
            session = self.sessions[upload_id]
            with session.lock:
                return _piece(session, request, upstream, half=half)
        is_bound = request.method in ("GET", "DELETE") or request.is_compose
        refusal = _refused(request, upstream) if is_bound else None
        answer = refusal or upstream(request)
        if request.query.get("uploadType") == ["resumable"] and answer.status == 200:
            location = next(value for name, value in answer.headers if name.lower() == "location")
            self.sessions[parse_qs(urlsplit(location).query)["upload_id"][0]] = _Session()
        return answer


def _piece(session: _Session, request: Request, upstream: Forward, *, half: bool) -> Answer:
    match = _RANGE.fullmatch(request.header("content-range"))
    if session.done is not None:
        return session.done
    if match is None:
        return Answer(400, [], b"no Content-Range")
    if match[1] is None:
        return _progress(session)
    first, body, total = int(match[1]), request.body, match[3]
    if first > session.kept or (total != "*" and int(match[2]) + 1 != int(total) and len(body) % PIECE_UNIT_BYTES):
        return Answer(400, [], b"a gap, or a piece that is no multiple of 256 KiB")
    fresh = body[session.kept - first :]
    if half:
        fresh = fresh[: len(fresh) // 2 // PIECE_UNIT_BYTES * PIECE_UNIT_BYTES]
    if not fresh:
        return _progress(session)
    content_range = f"bytes {session.kept}-{session.kept + len(fresh) - 1}/{total}"
    others = {name: value for name, value in request.headers.items() if name.lower() not in _REPLACED}
    answer = upstream(replace(request, body=fresh, headers={**others, "Content-Range": content_range}))
    if answer.status in (200, 308):
        session.kept += len(fresh)
    if answer.status == 200:
        session.done = answer
    return answer if answer.status != 308 else _progress(session)


_REPLACED = ("content-range", "content-length")


def _progress(session: _Session) -> Answer:
    return Answer(308, [("Range", f"bytes=0-{session.kept - 1}")] if session.kept else [], b"")


def _refused(request: Request, upstream: Forward) -> Answer | None:
    wanted = request.query.get("ifGenerationMatch", [""])[0]
    unwanted = request.query.get("ifGenerationNotMatch", [""])[0]
    if not (wanted or unwanted):
        return None
    path = "/storage/v1" + request.path.split("/storage/v1", 1)[-1].removesuffix("/compose")
    found = upstream(replace(request, method="GET", target=path, body=b"", headers={}))
    generation = json.loads(found.body)["generation"] if found.status == 200 else "0"
    if wanted and generation != wanted:
        return Answer(412, [("Content-Type", "application/json")], b'{"error": {"code": 412, "message": "condition"}}')
    return Answer(304, [], b"") if unwanted and generation == unwanted else None
