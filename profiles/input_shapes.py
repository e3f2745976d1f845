"""What a graph takes for frames of a given size."""

from __future__ import annotations

from ..runtime.errors import ModelError
from ..runtime.models import ModelEntry, Port
from .count import Shape
from .size import FrameSize

# An export may pad its fixed frame further than one graph needs; beyond this it is another size.
_MOST_PADDING = 64
# The stride of what is [1, C, 1, 1] for any frame: a scene's code.
_PER_SCENE = 0


def input_shapes(network: ModelEntry, size: FrameSize) -> dict[str, Shape]:
    """Shapes of the inputs for frames of `size`, padded to the graph's largest stride.

    A graph of fixed shape keeps its own; `ModelError` where that is for another size, or where
    the manifest's shapes are not those of images.
    """
    if not network.inputs or any(len(port.shape) != 4 for port in network.inputs):
        raise ModelError(f"{network.file}: the manifest gives it no inputs of shape [1, C, h, w]")
    padded = size.padded(max(port.stride for port in network.inputs))
    return {port.name: _shape(network, port, size, padded) for port in network.inputs}


def _shape(network: ModelEntry, port: Port, size: FrameSize, padded: FrameSize) -> Shape:
    batch, channels, rows, columns = port.shape
    if channels is None:
        raise ModelError(f"{network.file}: the channels of input {port.name!r} are not fixed")
    if port.stride == _PER_SCENE:
        return batch or 1, channels, 1, 1
    if rows is None or columns is None:
        return batch or 1, channels, padded.height // port.stride, padded.width // port.stride
    height, width = rows * port.stride, columns * port.stride
    spare_rows, spare_columns = height - size.height, width - size.width
    if not (0 <= spare_rows <= _MOST_PADDING and 0 <= spare_columns <= _MOST_PADDING):
        raise ModelError(
            f"{network.file}: its input {port.name!r} is fixed for {width}x{height} frames, not"
            f" {size}: ask for that size, or export again for this one"
        )
    return batch or 1, channels, rows, columns
