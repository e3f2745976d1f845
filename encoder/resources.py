"""What trials need that is slow to load: made once a process, when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ..runtime.container import Limits
from ..runtime.sessions import Network, NetworkPool
from ..runtime.title import TitleWeights, parse_title
from .adaptation import Adaptation, TitleFile
from .base_store import BaseStore
from .targets import Metric

if TYPE_CHECKING:
    from ..decoder import Enhancer
    from .strategies.latent import LatentCoder


class Resources:
    """`threads` is how many a trial may use, 0 for one a core. `bases` keeps base layers, None
    where each trial makes its own."""

    def __init__(self, threads: int = 0, bases: BaseStore | None = None) -> None:
        self.threads = threads
        self.bases = bases
        self._coders: dict[tuple[str, str, int, Metric, Adaptation], LatentCoder] = {}
        self._titles: dict[str, TitleWeights] = {}
        self._device_networks: dict[tuple[str, str], Enhancer] = {}

    @cached_property
    def networks(self) -> NetworkPool:
        """The networks that players run. Raises ProviderError without ONNX Runtime."""
        return NetworkPool("auto", self.threads)

    def network(self, model_id: str, title: TitleFile | None = None) -> Network:
        """The network that players run, with a title's weights where there are some.

        Raises ModelError if it is not installed, BitstreamError for weights that do not fit it.
        """
        return self.networks.network(model_id, self._weights(title))

    def device_network(self, model_id: str, title: TitleFile | None = None) -> Enhancer:
        """The same as a torch module. Raises as `network`, and ModelError where it has no
        template."""
        # torch takes seconds to load, and most scenes need none of it.
        from .device_network import device_network

        key = model_id, title.digest if title else ""
        if key not in self._device_networks:
            entry = self.network(model_id).entry
            self._device_networks[key] = device_network(entry, self._weights(title))
        return self._device_networks[key]

    def titles(self, title: TitleFile | None) -> dict[int, TitleWeights]:
        """A title's weights as a stream that carries them has them. BitstreamError if the file is
        damaged."""
        weights = self._weights(title)
        return {} if title is None or weights is None else {title.number: weights}

    def _weights(self, title: TitleFile | None) -> TitleWeights | None:
        if title is None:
            return None
        if title.digest not in self._titles:
            data = title.path.read_bytes()
            self._titles[title.digest] = parse_title(data, Limits(), str(title.path))
        return self._titles[title.digest]

    def latent_coder(
        self,
        tier: str,
        device: str,
        refinement: int = 0,
        tune: Metric = Metric.PSNR,
        adapt: Adaptation = Adaptation.FILTER,
    ) -> LatentCoder:
        """What codes latents on a torch device, those of I-frames after so many steps of descent;
        scenes are filtered where `adapt` has filters.

        Raises ModelError for a tier without weights. It sets the number of torch's threads for the
        whole process.
        """
        from .strategies.latent import LatentCoder

        key = tier, device, refinement, tune, adapt
        if key not in self._coders:
            if self.threads:
                import torch

                torch.set_num_threads(self.threads)
            coder = LatentCoder(
                tier, device, self.networks, refinement=refinement, tune=tune, adaptation=adapt
            )
            self._coders[key] = coder
        return self._coders[key]
