"""The Google library's client: where it gets its credentials from, and what of it is switched off."""

from __future__ import annotations

from enum import Enum

from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import storage


class Credentials(Enum):
    """Whether a bucket is used with credentials."""

    NEEDED = "those of the environment; an error when there are none"
    IF_FOUND = "those of the environment, or none: enough to read a public bucket"
    NONE = "none, even where there are some"


def connect(endpoint: str, credentials: Credentials) -> storage.Client:
    """Return a client. ``endpoint``: a server that asks for no credentials, empty for Google's.

    Raises DefaultCredentialsError when credentials are needed and there are none. Finding them may take seconds.
    """
    client = make_client(endpoint, credentials)
    # an uploader need not be allowed to read the bucket's metadata, which the library asks for unasked
    client._bucket_metadata_cache = None  # noqa: SLF001  # its only other switch is the environment
    _read_environment_once(client)
    return client


def make_client(endpoint: str, credentials: Credentials, *, project: str | None = None) -> storage.Client:
    """Return a client as the library makes it. ``project``: that of a bucket to be made. Raises what ``connect`` does."""
    if endpoint:
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]  # ships no types
        return storage.Client(project=project, credentials=nobody, client_options={"api_endpoint": endpoint})
    if credentials is Credentials.NONE:
        return storage.Client.create_anonymous_client()
    try:
        return storage.Client(project=project)
    except DefaultCredentialsError:
        if credentials is Credentials.IF_FOUND:
            return storage.Client.create_anonymous_client()
        raise


def _read_environment_once(client: storage.Client) -> None:
    """Take proxies and certificates from the environment now; requests would do so for each of thousands of objects."""
    session = client._http  # noqa: SLF001  # the library's own session, with its credentials
    url = client._connection.API_BASE_URL  # noqa: SLF001  # one host is all that is talked to
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.cert = found["proxies"], found["verify"], found["cert"]
    session.trust_env = False
