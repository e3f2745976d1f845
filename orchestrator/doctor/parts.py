"""How checks of a deployment are worded."""

from __future__ import annotations

from ...runtime.doctor import Check, Status

AREA = "fleet"
_LONGEST_DETAIL = 400
# How services of Amazon's say that somebody may not do something.
_REFUSALS = (
    "AccessDenied",
    "AccessDeniedException",
    "AccessDenied.Queue",
    "AuthorizationError",
    "UnauthorizedOperation",
    "403",
)
# Whose permissions are meant, by the beginning of a check's name; the others are of queues.
_SERVICES = {"results": "dynamodb", "media": "s3"}
# Requests that a permission of another name allows.
_ALLOWED_BY = {
    "CreateMultipartUpload": "PutObject",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "SendMessageBatch": "SendMessage",
    "UploadPart": "PutObject",
}


def fine(name: str, detail: str) -> Check:
    """Something that no job can do without, and that is in order."""
    return Check(AREA, name, Status.OK, detail, required=True)


def broken(name: str, error: Exception) -> Check:
    """Something that no job can do without. Our errors end in what to do, behind a semicolon;
    where Amazon's did not allow something, the permission is named."""
    detail, _, mend = str(error).rpartition("; ")
    operation = refused_operation(error)
    if operation is not None:
        service = _SERVICES.get(name.partition(",")[0], "sqs")
        action = f"{service}:{_ALLOWED_BY.get(operation, operation)}"
        detail = f"{action} is not allowed: {detail or mend}"
        mend = f"allow {action} to this machine's role or user, or check the keys"
    detail, mend = (detail, mend) if detail else (mend, "see what it says")
    return Check(AREA, name, Status.MISSING, detail[:_LONGEST_DETAIL], mend, required=True)


def refused_operation(error: BaseException | None) -> str | None:
    """The request that a service of Amazon's did not allow, None if something else went wrong."""
    while error is not None:
        response = getattr(error, "response", None)  # botocore's ClientError has one
        if isinstance(response, dict) and response.get("Error", {}).get("Code") in _REFUSALS:
            return str(getattr(error, "operation_name", ""))
        error = error.__cause__ or error.__context__
    return None
