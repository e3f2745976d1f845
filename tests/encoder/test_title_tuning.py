"""Networks fitted to a title: that it helps where devices run it, and says what they compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.encoder.quality import mse_planes
from edgecodec.encoder.title_network import Arithmetic, TitledNetwork, code_length
from edgecodec.encoder.title_process import tune_apart
from edgecodec.encoder.title_samples import SampleFile, plan_samples, scene_samples
from edgecodec.encoder.title_store import TitleStore
from edgecodec.encoder.title_task import TitleTuning, TuningTask
from edgecodec.encoder.title_tuning import split, tune
from edgecodec.runtime.base import deep_base
from edgecodec.runtime.container import Limits
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.scale_tables import MAX_SYMBOL
from edgecodec.runtime.scenes import enhance
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.template import Template, TemplateTensor, read_template, titled
from edgecodec.runtime.title import TitleWeights, pack_title, parse_title, symbol_bits
from edgecodec.runtime.upsample import Upsampling

from .title_scenes import base_of, scene_of, shifted, textured

PICTURE = PictureFormat(64, 64)
QUICK = TitleTuning(steps=90, batch=4, crop=32, samples=48, rate=4e-3)


def silent(_: float) -> None:
    """Who hears of progress and does nothing."""


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """(scene, base that is too bright, its samples)."""
    frames = textured(PICTURE, 6)
    base = base_of([shifted(planes) for planes in frames], PICTURE)
    scene = scene_of(frames, PICTURE)
    plan = plan_samples([6], PICTURE, QUICK.crop, QUICK.samples)
    file = SampleFile(tmp_path_factory.mktemp("samples") / "x.raw", plan.count, 24, 8, 8)
    file.create()
    file.write(0, scene_samples(scene, base, Upsampling.NONE, plan.of(0), file, 1))
    return scene, base, file


@pytest.fixture(scope="module")
def cheap(bright) -> TitleWeights:
    """What bits that cost hardly anything bring."""
    return tune(task(bright, 1e-9), silent)


def task(bright, price: float, tuning: TitleTuning = QUICK) -> TuningTask:
    return TuningTask(bright[2], "nano", "enhancer", price, tuning)


def error_with(bright, title: TitleWeights | None) -> np.ndarray:
    """Mean square errors of Y, U and V as a device decodes the scene, every frame enhanced."""
    scene, base, _ = bright
    decoded = deep_base(
        base, PICTURE, Upsampling.NONE, frames=6, threads=1, max_pixels=Limits().max_pixels
    )
    entry = read_models(packaged_models("nano")).network("enhancer")
    network = NetworkPool("cpu", 1).network(entry.model_id, title)
    frames: Iterator = enhance(decoded, (True,) * 6, base, PICTURE, network)
    errors = [mse_planes(*pair) for pair in zip(scene.frames, frames, strict=True)]
    return np.mean(errors, axis=0)


def test_a_titles_weights_mend_what_its_bases_have_wrong(bright, cheap) -> None:
    generic, own = error_with(bright, None), error_with(bright, cheap)
    assert (generic > 15).all()
    assert (own < 0.25 * generic).all()


def test_weights_come_back_to_the_bit(cheap) -> None:
    data = pack_title(cheap)
    again = parse_title(data, Limits(), "here")
    assert again == cheap
    entry = read_models(packaged_models("nano")).network("enhancer")
    assert again.template == entry.model_id
    coded = sum(symbol_bits(each.symbols, each.table) for each in cheap.deltas)
    assert len(data) * 8 == pytest.approx(coded, rel=0.05, abs=1000)


def test_what_is_trained_is_what_a_device_computes(bright) -> None:
    """To the level of an activation, and nearly always to the same residual."""
    entry = read_models(packaged_models("nano")).network("enhancer")
    template = read_template(entry)
    network = TitledNetwork(template)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor, step in zip(network.tensors, (2, 6, 2, 6, 2, 6, 2, 6), strict=True):
            tensor.step = step
            noise = torch.randn(tensor.delta.shape, generator=random)
            tensor.delta.copy_(noise * tensor.unit * 2.0**step)
        title = network.coded(entry.model_id)
        values = network.values(Arithmetic.CODED)
    assert sum(np.count_nonzero(each.symbols) for each in title.deltas) > 10_000
    integers = titled(template, title)
    for tensor, value in zip(template.tensors, values, strict=True):
        scale = tensor.scale.reshape(-1, *[1] * (tensor.values.ndim - 1))
        real = integers[tensor.name] * scale.astype(np.float64)
        assert np.allclose(value.numpy(), real, rtol=1e-5)
    records = bright[2].open()[:6]
    shown, condition = records["shown"], records["condition"]
    session = NetworkPool("cpu", 1).network(entry.model_id, title)
    with torch.no_grad():
        residual = network.residual(
            torch.from_numpy(shown / 255.0).float(),
            torch.from_numpy(condition / 255.0).float(),
            Arithmetic.DEVICE,
        )
    expected = np.rint(residual.numpy() * 1020) + 128
    assert np.ptp(expected) > 8
    channels = {port.name: port.shape[1] for port in entry.inputs}
    for number in range(len(records)):
        planes = np.broadcast_to(condition[number][None, :, None, None], (1, 2, 8, 8))
        (given,) = session.run(
            {
                **{
                    name: np.ascontiguousarray(shown[number, place][None])
                    for place, name in enumerate(("prev", "cur", "next"))
                },
                "condition": np.ascontiguousarray(planes),
                "gain": np.full((1, channels["gain"], 1, 1), 64, np.uint8),
                "bias": np.full((1, channels["bias"], 1, 1), 128, np.uint8),
            }
        )
        off = np.abs(given[0].astype(int) - expected[number])
        assert off.max() <= 1
        assert (off > 0).mean() < 0.05


def test_dear_bits_make_few_of_them(bright, cheap) -> None:
    dear = tune(task(bright, 1e-4), silent)
    assert len(pack_title(dear)) < 0.5 * len(pack_title(cheap))


def test_a_price_beyond_all_gains_leaves_the_network_as_it_is(bright) -> None:
    nothing = tune(task(bright, 1.0), silent)
    assert not any(delta.symbols.any() for delta in nothing.deltas)
    assert len(pack_title(nothing)) < 100


def test_a_training_that_ruins_the_network_leaves_it_as_it_is(bright) -> None:
    wild = replace(QUICK, steps=30, rate=10.0)
    ruined = tune(task(bright, 1e-9, wild), silent)
    assert not any(delta.symbols.any() for delta in ruined.deltas)


def test_some_samples_are_held_out_evenly_over_the_title() -> None:
    for count in (48, 160, 10_000):
        drawn, held_out = split(count)
        assert not set(drawn) & set(held_out)
        assert len(drawn) >= 0.9 * count
        assert abs(held_out.mean() - count / 2) < 0.05 * count
    drawn, held_out = split(3)
    assert list(drawn) == list(held_out) == [0, 1, 2]


def test_the_same_task_gives_the_same_weights_here_and_in_another_process(bright) -> None:
    quick = TitleTuning(steps=12, batch=2, crop=32, samples=48)
    told: list[float] = []
    here = tune(task(bright, 1e-8, quick), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    told.clear()
    assert tune_apart(task(bright, 1e-8, quick), told.append) == here
    assert told[-1] == 1.0


def test_what_fails_in_the_other_process_is_said_here(bright) -> None:
    missing = TuningTask(bright[2], "nano", "no such network", 1e-8, QUICK)
    with pytest.raises(EdgecodecError, match=r"title weights: ModelError: .*no such network"):
        tune_apart(missing, silent)


def test_tuning_needs_something_to_do() -> None:
    for wrong in ({"steps": 0}, {"batch": 0}, {"crop": 7}, {"samples": 0}, {"rate": 0.0}):
        with pytest.raises(ValueError, match="at least one step"):
            TitleTuning(**wrong)


def test_code_lengths_are_near_what_the_tables_need() -> None:
    random = np.random.default_rng(1)
    for spread in (0.1, 0.5, 2.0, 20.0):
        symbols = np.clip(np.rint(random.laplace(0, spread, 4000)), -MAX_SYMBOL, MAX_SYMBOL)
        template = Template((TemplateTensor("x", np.zeros(4000, np.int32), np.ones(4000, "f4")),))
        (tensor,) = TitledNetwork(template).tensors
        with torch.no_grad():
            tensor.delta.copy_(torch.from_numpy(symbols))
        needed = tensor.coded_bits()
        estimated = code_length(tensor.magnitude.detach())
        assert float(estimated) == pytest.approx(needed, rel=0.1)


def test_what_is_rounded_to_zero_is_drawn_to_it() -> None:
    magnitude = torch.tensor([0.4, -0.4, 3.0, -3.0], requires_grad=True)
    code_length(magnitude).backward()
    assert magnitude.grad is not None
    assert (torch.sign(magnitude.grad) == torch.sign(magnitude)).all()


def test_stored_weights_are_found_by_their_key_and_only_if_whole(tmp_path: Path, cheap) -> None:
    store = TitleStore(tmp_path / "store")
    assert store.load("a") is None
    kept = store.save("a", cheap)
    assert kept.path.read_bytes() == pack_title(cheap)
    assert store.load("a") == kept
    assert store.load("b") is None
    assert [path.suffix for path in store.folder.iterdir()] == [".title"]
    kept.path.write_bytes(kept.path.read_bytes()[:-1])
    assert store.load("a") is None
