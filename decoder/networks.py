"""The networks a device runs, in the shapes that NPUs and CPU INT8 kernels run fast.

All tensors are NCHW. Frames are YUV420 packed by space-to-depth outside the graph:
24 channels at 1/4 resolution (`Y/4`: 16, `U/2`: 4, `V/2`: 4) for the enhancer, 96 channels at
1/8 resolution (`Y/8`: 64, `U/4`: 16, `V/4`: 16) for the decoder of latents. Frames of half the
size that are to become full ones have 6 (4, 1, 1), at 1/2 of their resolution and 1/4 of the full
one.

Every tensor that crosses a graph's boundary, and every activation inside, has a fixed range
that its `PortSpec` or ReLU6 gives, so the uint8 quantisation of activations is part of the
architecture and needs no calibration data: `real = (uint8 - zero_point) * scale`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIXEL_SCALE = 1.0 / 255.0
RELU6_SCALE = 6.0 / 255.0
RESIDUAL_SCALE = PIXEL_SCALE / 4  # residuals span [-32, 31.75] grey levels in quarters of one
GAIN_SCALE = 1.0 / 64.0  # gains of a scene code span [0, 3.98]
GAIN_IDENTITY, BIAS_IDENTITY = 64, 128
LATENT_SCALE = 0.25  # latents span [-32, 31.75] in steps of a quarter


PER_SCENE = 0
"""The stride of ports that are [1, C, 1, 1]: what adapts a network to a scene."""


@dataclass(frozen=True)
class PortSpec:
    """One uint8 input or output of a network.

    `stride` is the port's downsampling against luma (4: a tensor of 1/4 resolution; `PER_SCENE`: a
    single cell, whatever the picture's size), and a real value is `(uint8 - zero_point) * scale`.
    """

    name: str
    channels: int
    stride: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class NetworkSpec:
    """What a network takes and gives; `build` makes the module for it."""

    name: str
    tier: str
    inputs: tuple[PortSpec, ...]
    outputs: tuple[PortSpec, ...]

    @property
    def adapts(self) -> bool:
        """Whether a scene's code, and a title's weights, may change what it does."""
        return any(port.stride == PER_SCENE for port in self.inputs)


@dataclass(frozen=True)
class Tier:
    """Widths and depths of one tier.

    `max_kmac_per_pixel` bounds, in thousands of multiply-accumulates per luma pixel, what runs
    for any one frame. `latents` is how many latents there are for 16x16 pixels, `latent_channels`
    the width of what they become first. `short_cut` says whether the I-frame decoder's head sees
    its first features beside its last ones. `recurrent` says whether later frames are predicted
    from features of earlier ones, by generators; else the I-frame decoder draws all of them.
    """

    max_kmac_per_pixel: float
    enhancer_channels: int
    enhancer_layers: int
    latents: int
    latent_channels: int
    feature_channels: int
    decoder_layers: int
    generator_layers: int
    short_cut: bool
    recurrent: bool


TIERS = {
    "nano": Tier(5.0, 64, 2, 64, 128, 96, 2, 3, short_cut=False, recurrent=True),
    "edge": Tier(25.0, 96, 4, 160, 384, 192, 2, 3, short_cut=True, recurrent=False),
}


def _frame(name: str, stride: int) -> PortSpec:
    return PortSpec(name, 96, stride, PIXEL_SCALE, 0)


class Enhancer(nn.Module):
    """What is to be added to frame t of a decoded base, from frames t-1, t and t+1.

    Inputs `prev`, `cur`, `next`: [N, F, H/4, W/4] in [0, 1], F = 24 channels of full-size frames
    or 6 of half-size ones, packed by 4 or by 2; `condition`: [N, 2, H/4, W/4] in [0, 1], channel 0
    the base's quantiser, channel 1 its codec. `gain` [N, C, 1, 1] in [0, 4) and `bias`
    [N, C, 1, 1] in [-3, 3] are the scene's code: they scale and shift the last features, 1 and 0
    change nothing. Output: the residual of frame t at full size, [N, 24, H/4, W/4], on the scale of
    pixels in [0, 1]; a device gives it in quarters of a grey level, from -32 to 31.75.
    """

    def __init__(self, channels: int, layers: int, frame_channels: int = 24) -> None:
        super().__init__()
        self.activation = nn.ReLU6()
        self.stem = nn.Conv2d(3 * frame_channels + 2, channels, 1)
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)
        )
        self.head = nn.Conv2d(channels, 24, 1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(
        self, prev: Tensor, cur: Tensor, next: Tensor, condition: Tensor, gain: Tensor, bias: Tensor
    ) -> Tensor:
        return self.residual(self.features(prev, cur, next, condition), gain, bias)

    def features(self, prev: Tensor, cur: Tensor, next: Tensor, condition: Tensor) -> Tensor:
        """The last features, [N, C, H/4, W/4] in [0, 6], before a scene's code."""
        x: Tensor = self.activation(self.stem(torch.cat((prev, cur, next, condition), dim=1)))
        for layer in self.body:
            x = self.activation(layer(x))
        return x

    def residual(self, features: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """What `forward` gives, from `features`."""
        x = self.activation(features * gain)
        residual: Tensor = self.head(self.activation(x + bias))
        return residual


class _LatentUp(nn.Module):
    """Latents at 1/16 resolution to features at 1/8; the shuffle moves bytes, no arithmetic."""

    def __init__(self, latents: int, hidden: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.activation = nn.ReLU6()
        self.expand = nn.Conv2d(latents, hidden, 3, padding=1)
        self.spread = nn.Conv2d(hidden, 4 * channels, kernel, padding=kernel // 2)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.activation(self.spread(self.activation(self.expand(latent))))
        return F.pixel_shuffle(x, 2)


class IFrameDecoder(nn.Module):
    """Dequantised latents of one frame to the frame and the feature that later frames refer to.

    `latent`: [N, L, H/16, W/16] in [-32, 31.75]. Gives `frame` [N, 96, H/8, W/8] in [0, 1] (not
    clipped) and `feature` [N, C, H/8, W/8] in [0, 6].

    With a `short_cut` the first features may hold a picture that the others only correct.
    """

    def __init__(
        self, latents: int, hidden: int, channels: int, layers: int, *, short_cut: bool = False
    ) -> None:
        super().__init__()
        self.activation = nn.ReLU6()
        self.up = _LatentUp(latents, hidden, channels, 3)
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)
        )
        self.short_cut = short_cut
        self.head = nn.Conv2d(2 * channels if short_cut else channels, 96, 1)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        shown, feature = self.features(latent)
        return self.head(shown), feature

    def features(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """What the head takes, and `feature`."""
        first = x = self.up(latent)
        for layer in self.body:
            x = self.activation(layer(x))
        return torch.cat((first, x), dim=1) if self.short_cut else x, x


class Generator(nn.Module):
    """Reference feature(s) and a frame's latents to the frame and its own feature.

    `references`: one (P) or two (B: past, future) tensors [N, C, H/8, W/8] in [0, 6]; `latent`:
    [N, L, H/16, W/16] in [-32, 31.75], zeros where nothing was sent. Gives what `IFrameDecoder`
    gives.
    """

    def __init__(
        self, latents: int, hidden: int, channels: int, layers: int, references: int
    ) -> None:
        super().__init__()
        self.activation = nn.ReLU6()
        self.up = _LatentUp(latents, hidden, channels, 1)
        self.fuse = nn.Conv2d((references + 1) * channels, channels, 1)
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers)
        )
        self.head = nn.Conv2d(channels, 96, 1)

    def forward(self, *references_and_latent: Tensor) -> tuple[Tensor, Tensor]:
        *references, latent = references_and_latent
        x = self.activation(self.fuse(torch.cat((*references, self.up(latent)), dim=1)))
        for layer in self.body:
            x = self.activation(layer(x))
        return self.head(x), x


Network = Enhancer | IFrameDecoder | Generator


def network_names() -> tuple[str, ...]:
    """The networks of every tier, in the order in which reports list them."""
    return ("iframe_decoder", "generator_p", "generator_b", "generator_up", "enhancer")


def spec(name: str, tier: str) -> NetworkSpec:
    """Ports of network `name` in `tier`; `KeyError` names an unknown tier or network."""
    channels = TIERS[tier].feature_channels
    latent = PortSpec("latent", TIERS[tier].latents, 16, LATENT_SCALE, 128)

    def feature(port: str) -> PortSpec:
        return PortSpec(port, channels, 8, RELU6_SCALE, 0)

    decoded = (_frame("frame", 8), feature("feature"))
    ports: dict[str, tuple[tuple[PortSpec, ...], tuple[PortSpec, ...]]] = {
        "enhancer": (_mended(24, tier), (_RESIDUAL,)),
        "generator_up": (_mended(6, tier), (_RESIDUAL,)),
        "iframe_decoder": ((latent,), decoded),
        "generator_p": ((feature("past"), latent), decoded),
        "generator_b": ((feature("past"), feature("future"), latent), decoded),
    }
    inputs, outputs = ports[name]
    # An output must not share its name with an input of the same graph.
    return NetworkSpec(
        name, tier, inputs, tuple(PortSpec(f"{p.name}_out", *_rest(p)) for p in outputs)
    )


_RESIDUAL = PortSpec("residual", 24, 4, RESIDUAL_SCALE, 128)


def _mended(frame_channels: int, tier: str) -> tuple[PortSpec, ...]:
    """What an `Enhancer` takes."""
    channels = TIERS[tier].enhancer_channels
    return (
        *(PortSpec(f, frame_channels, 4, PIXEL_SCALE, 0) for f in ("prev", "cur", "next")),
        PortSpec("condition", 2, 4, PIXEL_SCALE, 0),
        PortSpec("gain", channels, PER_SCENE, GAIN_SCALE, 0),
        PortSpec("bias", channels, PER_SCENE, RELU6_SCALE, BIAS_IDENTITY),
    )


def _rest(port: PortSpec) -> tuple[int, int, float, int]:
    return port.channels, port.stride, port.scale, port.zero_point


def build(name: str, tier: str) -> Network:
    """Network `name` of `tier` with fresh weights; `KeyError` names an unknown tier or network."""
    t = TIERS[tier]
    if name in ("enhancer", "generator_up"):
        frame_channels = 24 if name == "enhancer" else 6
        return Enhancer(t.enhancer_channels, t.enhancer_layers, frame_channels)
    if name == "iframe_decoder":
        return IFrameDecoder(
            t.latents,
            t.latent_channels,
            t.feature_channels,
            t.decoder_layers,
            short_cut=t.short_cut,
        )
    references = {"generator_p": 1, "generator_b": 2}[name]
    return Generator(
        t.latents, t.latent_channels, t.feature_channels, t.generator_layers, references
    )
