"""The integers of a network that title weights may change, as a file beside its graph.

Players add what a title sends to these integers and give ONNX Runtime the sums in place of the
graph's own, so that none of them has to read ONNX.
"""

from __future__ import annotations

from io import BytesIO
from zipfile import ZipFile, ZipInfo

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Tensors = dict[str, NDArray[np.generic]]


def template_tensors(model: onnx.ModelProto) -> Tensors:
    """The weights and biases of the convolutions of `model`, a graph of `quantize`, in its order.

    By the name of its initialiser each weight, int8 [O, I, kH, kW], and each bias, int32 [O]; after
    it, by that name and `.scale`, its float32 [O]: real = integer * scale.
    """
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    dequantized = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    tensors: Tensors = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        for name in node.input[1:]:
            integers, scale = dequantized[name].input[:2]
            tensors[integers] = constants[integers]
            tensors[f"{integers}.scale"] = constants[scale]
    return tensors


def template_bytes(tensors: Tensors) -> bytes:
    """An `.npz` file of `tensors`, in their order: the same bytes for the same tensors anywhere."""
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        for name, array in tensors.items():
            member = BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            # It has the earliest date that ZIP knows; the system would be told apart by default.
            info = ZipInfo(f"{name}.npy")
            info.create_system = 0
            archive.writestr(info, member.getvalue())
    return file.getvalue()
