"""What trials need that is slow to load: made once a process, when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ..runtime.sessions import NetworkPool

if TYPE_CHECKING:
    from .strategies.latent import LatentCoder


class Resources:
    """`threads` is how many a trial may use, 0 for one a core."""

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads
        self._coders: dict[tuple[str, str], LatentCoder] = {}

    @cached_property
    def networks(self) -> NetworkPool:
        """The networks that players run. Raises ProviderError without ONNX Runtime."""
        return NetworkPool("auto", self.threads)

    def latent_coder(self, tier: str, device: str) -> LatentCoder:
        """What codes latents on a torch device. Raises ModelError for a tier without weights.

        It sets the number of torch's threads for the whole process.
        """
        # torch takes seconds to load, and most scenes need none of it.
        from .strategies.latent import LatentCoder

        if (tier, device) not in self._coders:
            if self.threads:
                import torch

                torch.set_num_threads(self.threads)
            self._coders[tier, device] = LatentCoder(tier, device, self.networks)
        return self._coders[tier, device]
