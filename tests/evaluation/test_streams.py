from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgecodec.evaluation.clips import Clip
from edgecodec.evaluation.report_data import SystemKind
from edgecodec.evaluation.rows import curve_point, measure_stream
from edgecodec.evaluation.streams import play_stream, video_bytes
from edgecodec.runtime.errors import BitstreamError


def test_a_stream_is_played_to_its_end_and_timed(
    tmp_path: Path, small_clip: Clip, write_stream: Callable[[Path, int], bytes]
) -> None:
    path = tmp_path / "small.ecv"
    write_stream(path, 26)
    played = play_stream(path)
    assert len(played.frames) == 12
    assert played.frames[0][0].shape == (180, 320)
    assert min(played.decode_fps, played.open_seconds) > 0
    row, frames = measure_stream(path, "ours", SystemKind.FORCED, "crf 26", small_clip)
    assert len(frames) == 12
    assert 30 < row.psnr < 50
    assert row.vmaf is None
    assert row.bytes == video_bytes(path)
    assert row.bitrate_mbps == pytest.approx(row.bytes * 8 / (12 / 25) / 1e6)
    assert curve_point(row).psnr == row.psnr


def test_audio_does_not_count_as_video(
    tmp_path: Path, write_stream: Callable[[Path, int], bytes]
) -> None:
    path = tmp_path / "small.ecv"
    audio = write_stream(path, 26)
    assert video_bytes(path) == path.stat().st_size - len(audio)


def test_a_file_that_is_no_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.ecv"
    path.write_bytes(b"no stream at all" * 10)
    with pytest.raises(BitstreamError):
        play_stream(path)
