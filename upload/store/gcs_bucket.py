"""A bucket itself: what it is like, and making it. Objects in it are the business of ``gcs``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.api_core import exceptions as api
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from upload.bucket_setup import EVERYBODY, READ_AND_LIST, BucketPlan, BucketState
from upload.errors import StoreError
from upload.store._gcs_client import Credentials, make_client
from upload.store._gcs_errors import translate
from upload.store.patience import Patience

T = TypeVar("T")


class GcsBucket:
    """One bucket of Google. ``endpoint``: another server than the public one, reached without credentials."""

    def __init__(self, name: str, *, project: str = "", endpoint: str = "", patience: Patience | None = None) -> None:
        self._name = name
        self._project = project
        self._endpoint = endpoint
        self._timeout = (patience or Patience()).timeouts()

    def state(self) -> BucketState | None:
        """Return what the bucket is like, or None when there is none. Raises StoreError: not allowed to look."""

        def look() -> BucketState | None:
            bucket = self._client().bucket(self._name)
            try:
                bucket.reload(timeout=self._timeout)
            except api.NotFound:
                return None
            policy = bucket.get_iam_policy(requested_policy_version=3, timeout=self._timeout)
            roles = [
                str(binding["role"])
                for binding in policy.bindings
                if EVERYBODY in binding.get("members", ()) and not binding.get("condition")
            ]
            access = bucket.iam_configuration
            return BucketState(
                is_uniform=bool(access.uniform_bucket_level_access_enabled),
                is_public_prevented=access.public_access_prevention == "enforced",
                public_roles=tuple(sorted(roles)),
                cors=tuple(bucket.cors),
                lifecycle=tuple(dict(rule) for rule in bucket.lifecycle_rules),
            )

        return self._mapped(look)

    def create(self, plan: BucketPlan) -> None:
        """Make the bucket, then let everybody read it. Raises StoreError; one whose name is taken is never changed."""

        def make() -> None:
            bucket = self._client().bucket(self._name)
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = "inherited"
            bucket.cors = plan.cors
            bucket.lifecycle_rules = plan.lifecycle
            bucket.create(location=plan.location, timeout=self._timeout, retry=None)
            policy = bucket.get_iam_policy(requested_policy_version=3, timeout=self._timeout)
            policy.bindings = [*policy.bindings, {"role": READ_AND_LIST, "members": {EVERYBODY}}]
            bucket.set_iam_policy(policy, timeout=self._timeout)

        self._mapped(make)

    def _client(self) -> storage.Client:
        unnamed = "none" if self._endpoint else None  # Google's is that of the credentials
        return make_client(self._endpoint, Credentials.NEEDED, project=self._project or unnamed)

    def _mapped(self, call: Callable[[], T]) -> T:
        uri = f"gs://{self._name}"
        try:
            return call()
        except api.Conflict as error:
            raise StoreError(
                uri, 409, "the name is taken; bucket names are shared by all of Google", hint="take another name"
            ) from error
        except (OSError, ValueError, api.GoogleAPIError, GoogleAuthError) as error:
            raise translate(error, uri, self._name) from error
