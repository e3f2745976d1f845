"""Where a fleet's videos, streams and logs lie."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import DispatchError
from .base import MediaStore, check_name, file_sha256

__all__ = ["MediaStore", "check_name", "file_sha256", "open_media"]


def open_media(url: str) -> MediaStore:
    """The store of that address: `file:PATH` or a plain path, or
    `s3://bucket/prefix?region=...&endpoint_url=...`.

    Nothing is asked of it yet. Raises DispatchError where the address is none.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "s3":
        from .s3 import open_s3

        return open_s3(url)
    if colon and scheme == "file":
        url = rest.removeprefix("//") if rest.startswith("///") else rest
    elif "://" in url:
        raise DispatchError(
            f"media {url}: nothing opens {scheme}://; give a folder, file:PATH or s3://"
        )
    if not url:
        raise DispatchError("media: an empty path; give a folder, file:PATH or s3://bucket/prefix")
    from .folder import FolderStore

    return FolderStore(Path(url).expanduser())
