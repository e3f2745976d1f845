"""What is said of artefacts."""

from __future__ import annotations

import pytest
from edgecodec.export.devices import QNN_PROVIDER, Artefact, require_compiled
from edgecodec.runtime.errors import ExportError


def artefact(
    device: str, compiled: bool, message: str = "", unsupported: tuple[str, ...] = ()
) -> Artefact:
    nodes = {QNN_PROVIDER: 3, "CPUExecutionProvider": 1}
    return Artefact(
        "enhancer",
        device,
        None,
        None,
        None,
        0.1,
        compiled,
        nodes,
        unsupported,
        None,
        message,
        "T 1",
    )


def test_a_network_that_did_not_compile_says_where_and_why() -> None:
    good = artefact("8gen2", True)
    bad = artefact("8gen3", False, "refused", ("Erf 'e': unknown",))
    require_compiled([good])
    with pytest.raises(
        ExportError, match=r"^T 1 refused enhancer for 8gen3: refused; Erf 'e': unknown$"
    ):
        require_compiled([good, bad])


def test_placement_is_the_share_of_nodes_on_the_provider() -> None:
    placement = artefact("8gen2", True).placement(QNN_PROVIDER)
    assert placement.percent == 75.0
    assert placement.provider == QNN_PROVIDER
    assert artefact("8gen2", True).placement("other").percent == 0.0
