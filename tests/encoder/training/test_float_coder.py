"""I-frames of a checkpoint: coded with its own prior where it has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import build
from edgecodec.encoder.analysis import build_analysis
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.training.checkpoint import Progress, save_checkpoint
from edgecodec.encoder.training.float_coder import FloatCoder
from edgecodec.encoder.training.iframe import Trainer
from edgecodec.encoder.training.linear_start import start
from edgecodec.encoder.training.packs import PicturePack
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import NO_PRIORS, FrameKind
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior

PICTURE = PictureFormat(96, 64)


@pytest.fixture(scope="module")
def planes(draw_planes) -> Planes:
    return draw_planes(PICTURE, 1)[0]


@pytest.fixture(scope="module")
def edge(picture_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path]:
    """Transforms, and a prior that nobody trained."""
    torch.manual_seed(0)
    trainer = Trainer("edge")
    pictures = PicturePack(picture_pack).batch(np.random.default_rng(0), 24, 16)
    start(trainer.decoder, trainer.analysis, pictures)
    path = tmp_path_factory.mktemp("edge") / "run.pt"
    optimizer = torch.optim.SGD(trainer.prior.parameters())
    save_checkpoint(path, trainer.networks, optimizer, Progress())
    return trainer, path


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    networks = {
        "iframe_decoder": build("iframe_decoder", "nano"),
        "analysis_i": build_analysis("analysis_i", "nano"),
    }
    path = tmp_path_factory.mktemp("nano") / "run.pt"
    optimizer = torch.optim.SGD(networks["analysis_i"].parameters())
    save_checkpoint(path, networks, optimizer, Progress())
    return path


def test_its_prior_codes_the_symbols(edge: tuple[Trainer, Path], planes: Planes) -> None:
    trainer, path = edge
    body, shown = FloatCoder(path, "edge").code(planes, PICTURE, 60, 0)
    prior = Prior.from_arrays(trainer.prior.arrays())
    assert body.priors == (prior.prior_id, None, None, None)
    (packet,) = body.packets
    assert (packet.kind, packet.quality) == (FrameKind.I, 60)
    symbols = decode_with_prior(packet.data, (4, 6), 60, prior, None)
    assert symbols.shape == (prior.channels, 4, 6)
    assert symbols.any()
    assert psnr(planes, shown).y > 30


def test_finer_qualities_take_more_bytes_and_lose_less(
    edge: tuple[Trainer, Path], planes: Planes
) -> None:
    coder = FloatCoder(edge[1], "edge")
    (coarse, dull), (fine, sharp) = (coder.code(planes, PICTURE, at, 0) for at in (5, 60))
    assert len(coarse.packets[0].data) < len(fine.packets[0].data)
    assert psnr(planes, dull).weighted < psnr(planes, sharp).weighted


def test_a_search_of_the_latents_counts_the_priors_bits(
    edge: tuple[Trainer, Path], planes: Planes
) -> None:
    coder = FloatCoder(edge[1], "edge")
    (plain, before), (moved, after) = (coder.code(planes, PICTURE, 30, n) for n in (0, 40))
    assert moved.packets[0].data != plain.packets[0].data
    fewer = len(moved.packets[0].data) < len(plain.packets[0].data)
    assert fewer or psnr(planes, after).weighted > psnr(planes, before).weighted


def test_a_tier_without_one_has_explicit_scales(nano: Path, planes: Planes) -> None:
    body, shown = FloatCoder(nano, "nano").code(planes, PICTURE, 40, 0)
    assert body.priors == NO_PRIORS
    assert shown[0].shape == planes[0].shape


def test_a_checkpoint_of_another_tier_is_refused(nano: Path, edge: tuple[Trainer, Path]) -> None:
    for path, tier in ((nano, "edge"), (edge[1], "nano")):
        with pytest.raises(ModelError, match="no checkpoint of this training"):
            FloatCoder(path, tier)
