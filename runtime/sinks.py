"""Where decoded video goes: a file to play, raw frames, a checksum, or nowhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .auxiliary import AuxPacket
from .errors import UnsupportedError
from .frames import Frame
from .mux import CONTAINERS, MuxSink
from .sink_base import PartFile, Sink, VideoInfo
from .y4m import raw_bytes, write_y4m_frame, write_y4m_header

__all__ = ["Md5Sink", "MuxSink", "NullSink", "Sink", "VideoInfo", "Y4mSink", "open_sink"]


def open_sink(target: str | Path, info: VideoInfo) -> Sink:
    """Opens a sink by name or by file extension.

    `md5:` is the MD5 of all samples, as `ffmpeg -c:v rawvideo -f md5` prints it; `null:` takes
    all and keeps nothing. `.y4m` is raw video, `.mp4`, `.mov` and `.mkv` are H.264 with audio and
    subtitles, all of them lossless. An existing file is replaced when
    the sink is closed, and left alone if it never is.

    Raises:
        FileNotFoundError: the folder of the file does not exist.
        UnsupportedError: the extension is none of these, or the name is a folder's.
    """
    if str(target) == "md5:":
        return Md5Sink()
    if str(target) == "null:":
        return NullSink()
    path = Path(target)
    extension = path.suffix.lower()
    if extension == ".y4m":
        return Y4mSink(path, info)
    if extension in CONTAINERS:
        return MuxSink(path, info)
    raise UnsupportedError(
        f"{target}: cannot tell what to write; end the name in .y4m, {', '.join(CONTAINERS)}, "
        "or write md5: or null: in its place"
    )


class NullSink(Sink):
    """Takes everything and keeps nothing: for timing a decoder."""

    keeps_timestamps = True

    def write(self, frame: Frame) -> None:
        """See `Sink.write`."""

    def write_aux(self, packet: AuxPacket) -> None:
        """See `Sink.write_aux`."""

    def close(self) -> None:
        """See `Sink.close`."""

    def abort(self) -> None:
        """See `Sink.abort`."""

    @property
    def summary(self) -> str:
        """Nothing to say."""
        return ""


class Md5Sink(Sink):
    """The MD5 of every frame's Y, U and V samples in their order; other streams are left out."""

    keeps_timestamps = False

    def __init__(self) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)

    def write(self, frame: Frame) -> None:
        """See `Sink.write`."""
        for samples in frame.planes:
            self._hash.update(raw_bytes(samples))

    def write_aux(self, packet: AuxPacket) -> None:
        """See `Sink.write_aux`."""

    def close(self) -> None:
        """See `Sink.close`."""

    def abort(self) -> None:
        """See `Sink.abort`."""

    @property
    def digest(self) -> str:
        """The MD5 so far, 32 hexadecimal digits."""
        return self._hash.hexdigest()

    @property
    def summary(self) -> str:
        """The line that FFmpeg would print."""
        return f"MD5={self.digest}"


class Y4mSink(Sink):
    """A YUV4MPEG2 file. It has one frame rate and no timestamps, no rotation and no audio."""

    keeps_timestamps = False

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self._part = PartFile(path)
        self._file = self._part.path.open("xb")
        try:
            write_y4m_header(
                self._file,
                info.format,
                info.frame_rate,
                info.sample_aspect,
                full_range=info.color.full_range,
            )
        except BaseException:
            self.abort()
            raise

    def write(self, frame: Frame) -> None:
        """See `Sink.write`."""
        write_y4m_frame(self._file, frame.planes)

    def write_aux(self, packet: AuxPacket) -> None:
        """Left out: the format has no place for it."""

    def close(self) -> None:
        """See `Sink.close`."""
        self._file.close()
        self._part.commit()

    def abort(self) -> None:
        """See `Sink.abort`."""
        self._file.close()
        self._part.discard()

    @property
    def summary(self) -> str:
        """The file's path."""
        return str(self._part.target)
