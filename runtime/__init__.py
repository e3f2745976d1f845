"""The torch-free half: what a player embeds.

import edgecodec.runtime

with edgecodec.runtime.open("clip.ecv") as video:
    for frame in video:
        ...
"""

from .auxiliary import AuxPacket, AuxStream
from .container import Damage, Limits
from .errors import (
    BitstreamError,
    DeviceError,
    DispatchError,
    EdgecodecError,
    ExportError,
    GateError,
    ModelError,
    ProfileFileError,
    ProviderError,
    UnsupportedError,
)
from .frames import ColorInfo, Frame, PictureFormat
from .push import PushDecoder
from .stream_info import SceneInfo, StreamInfo
from .video import Video, open

__all__ = [
    "AuxPacket",
    "AuxStream",
    "BitstreamError",
    "ColorInfo",
    "Damage",
    "DeviceError",
    "DispatchError",
    "EdgecodecError",
    "ExportError",
    "Frame",
    "GateError",
    "Limits",
    "ModelError",
    "PictureFormat",
    "ProfileFileError",
    "ProviderError",
    "PushDecoder",
    "SceneInfo",
    "StreamInfo",
    "UnsupportedError",
    "Video",
    "open",
]
