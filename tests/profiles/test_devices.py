from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.profiles import (
    Basis,
    Decoding,
    FrameSize,
    device_names,
    load_device,
    load_devices,
)
from edgecodec.profiles.fitted import load_fitted
from edgecodec.runtime.errors import DeviceError, ProfileFileError

MINE = """
format = 1
name = "mine"
title = "My board"
basis = "label-scaled"
parameters = "galaxy-s24"

[label]
tops = 20.0
meaning = "dense INT8"
source = "Its box"

[dense_int8_tops]
value = 20.0
source = "Its box"

[dram_gbps]
value = 30.0
source = "Its data sheet"

[dispatch_us]
value = 200.0
source = "A guess"
"""


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return str(file)


def test_the_targets_are_shipped() -> None:
    assert {
        "amd-xdna2",
        "apple-a17-pro",
        "apple-m4",
        "dimensity-9300",
        "hailo-10h",
        "host",
        "intel-lunar-lake-npu",
        "jetson-orin-nano-super",
        "jetson-orin-nx-16gb",
        "qcs6490",
        "snapdragon-40tops",
        "snapdragon-8elite",
        "snapdragon-8elite-gen5",
        "snapdragon-8gen2",
        "snapdragon-8gen3",
        "snapdragon-x-elite",
    } <= set(device_names())


def test_every_shipped_profile_is_sound_and_sourced() -> None:
    for device in load_devices():
        assert device.name in device_names()
        listed = device.to_dict()
        figures = ("label_tops", "dense_int8_tops", "dram_gbps", "dispatch_us")
        for name in figures:
            assert (listed[name] is None) == (name not in listed["sources"])
        for name in ("hardware_decode", "software_decode"):
            assert (listed[name] is None) == (name not in listed["sources"])
        assert listed["codecs"]


def test_fitted_profiles_state_the_figures_of_their_fit() -> None:
    for device in load_devices():
        if device.basis is Basis.FITTED:
            assert device.parameters
            assert device.dense_int8_tops
            assert device.dispatch_us
            fit = load_fitted(device.parameters).precisions["w8a8"]
            assert device.dense_int8_tops.value == pytest.approx(fit.dense_tops, abs=0.06)
            assert device.dispatch_us.value == pytest.approx(fit.fixed_us, abs=0.06)
            assert fit.error.networks >= 28
            assert 0 < fit.error.p10 < 1 < fit.error.p90


def test_sparse_and_four_bit_labels_are_not_taken_for_dense_int8() -> None:
    for device in load_devices():
        if device.label and device.label.meaning in {"sparse INT8", "dense INT4", "sparse INT4"}:
            assert device.dense_int8_tops
            assert device.dense_int8_tops.value <= device.label.tops / 2


def test_unknown_device_names_the_known_ones() -> None:
    with pytest.raises(DeviceError, match=r"snapdragon-8gen9.*snapdragon-40tops.*FILE\.toml"):
        load_device("snapdragon-8gen9")


def test_own_file(tmp_path: Path) -> None:
    device = load_device(write(tmp_path, MINE))
    assert (device.name, device.basis) == ("mine", Basis.LABEL_SCALED)
    assert device.to_dict()["label_basis"] == "dense INT8"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "update edgecodec"),
        ('name = "mine"', "", "`name` is missing"),
        ('name = "mine"', "name = 3", "`name` must be a text"),
        ('basis = "label-scaled"', 'basis = "guessed"', "must be one of"),
        ('parameters = "galaxy-s24"', "", "needs `parameters`"),
        ('basis = "label-scaled"', 'basis = "measured"', "takes no `parameters`"),
        ("[dram_gbps]\nvalue = 30.0", "[dram_gbps]\nvalue = -1", r"\[dram_gbps\].*above 0"),
        ("[dram_gbps]\nvalue = 30.0", "[dram_gbps]\nvalue = true", "above 0"),
        ('source = "A guess"', "", "`source` is missing"),
        ('meaning = "dense INT8"', 'meaning = "INT8"', "must be one of"),
        ("[dispatch_us]", "[dispatch]", "label-scaled' needs `dispatch_us`"),
        ("[label]", "thermal = 3\n[label]", "unknown key `thermal`"),
        ("format = 1", "format = ", "not TOML"),
        ("[label]", "[entropy_msymbols]\nvalue = 0\nsource = 'x'\n[label]", "above 0"),
    ],
)
def test_malformed_profiles_say_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINE
    with pytest.raises(ProfileFileError, match=rf"(?s)mine\.toml.*{message}"):
        load_device(write(tmp_path, MINE.replace(old, new)))


def test_missing_file_and_unknown_fit(tmp_path: Path) -> None:
    with pytest.raises(ProfileFileError, match="cannot be read"):
        load_device(str(tmp_path / "none.toml"))
    with pytest.raises(DeviceError, match=r"nowhere.*galaxy-s24"):
        load_fitted("nowhere")


def test_shipped_profiles_say_what_is_decoded() -> None:
    assert set(load_device("host").codecs) == {"av1", "h265", "h264", "vvc"}
    assert set(load_device("snapdragon-40tops").codecs) == {"av1", "h265", "h264", "vp9"}
    assert set(load_device("qcs6490").codecs) == {"h265", "h264", "vp9"}


def test_what_a_device_decodes_is_read(tmp_path: Path) -> None:
    text = """
[hardware_decode]
codecs = ["h264", "h265"]
size = "4k"
fps = 60
source = "Its data sheet"

[software_decode]
codecs = ["h264", "av1"]
source = "Tried"
"""
    device = load_device(write(tmp_path, MINE + text))
    assert device.codecs == ("h264", "h265", "av1")
    assert device.hardware_decode == Decoding(
        ("h264", "h265"), FrameSize(3840, 2160), 60.0, "Its data sheet"
    )
    assert device.to_dict()["software_decode"] == {
        "codecs": ["h264", "av1"],
        "size": None,
        "fps": None,
    }
    assert load_device(write(tmp_path, MINE)).codecs == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('codecs = ["mpeg9"]', "mpeg9"),
        ("codecs = []", "`codecs` is empty"),
        ('codecs = "av1"', "list of texts"),
        ('codecs = ["av1"]\nsize = "4k"', "go together"),
        ('codecs = ["av1"]\nfps = 30', "go together"),
        ('codecs = ["av1"]\nsize = "big"\nfps = 30', "'big' is not a size"),
        ('codecs = ["av1"]\nsize = "4k"\nfps = 0', "above 0"),
        ('codecs = ["av1"]\nmax_fps = 30', "unknown key `max_fps`"),
    ],
)
@pytest.mark.parametrize("table", ["hardware_decode", "software_decode"])
def test_malformed_decoders_say_where(tmp_path: Path, table: str, lines: str, message: str) -> None:
    text = f'\n[{table}]\nsource = "x"\n{lines}\n'
    with pytest.raises(DeviceError, match=rf"mine\.toml \[{table}\]: .*{message}"):
        load_device(write(tmp_path, MINE + text))
