from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from edgecodec.evaluation.clips import load_clip
from edgecodec.runtime.frames import PictureFormat


def test_the_demo_clip_is_read_as_it_is(clip_path: Path) -> None:
    clip = load_clip(clip_path, max_frames=3)
    assert clip.name == "bbb_720p.mp4"
    assert clip.format == PictureFormat(1280, 720, 8)
    assert clip.frame_rate == 25
    assert len(clip.frames) == 3
    assert clip.seconds == pytest.approx(3 / 25)
    assert clip.bitrate_mbps(15_000) == pytest.approx(1.0)
    assert [plane.shape for plane in clip.frames[0]] == [(720, 1280), (360, 640), (360, 640)]
    with av.open(str(clip_path)) as container:
        frame = next(container.decode(video=0))
        assert np.array_equal(frame.to_ndarray()[:720], clip.frames[0][0])


def test_the_whole_clip_is_read(clip_path: Path) -> None:
    clip = load_clip(clip_path)
    assert len(clip.frames) == 132
    assert clip.seconds == pytest.approx(5.28)
