"""Torch module to ONNX graph, free of anything that is not the network."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import CO_VARARGS
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from ..decoder.networks import PER_SCENE, NetworkSpec, PortSpec
from ..runtime.errors import ExportError
from .sizes import Size, alignment, port_shape

OPSET = 20
# Both sides differ and hold several cells of every stride, so that no dimension looks constant.
_TRACED_SIZE = Size(96, 64)


def to_onnx(module: nn.Module, spec: NetworkSpec, size: Size | None) -> onnx.ModelProto:
    """`module` as a float32 graph whose inputs and outputs are named after the ports of `spec`.

    Shapes are fixed to `size`, or symbolic in height and width where it is None. Raises
    `ExportError` with the exporter's own words.
    """
    example = tuple(
        torch.zeros(port_shape(port, spec, size or _TRACED_SIZE)) for port in spec.inputs
    )
    try:
        with _quiet_exporter():
            program = torch.onnx.export(
                module.eval(),
                example,
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
                input_names=[port.name for port in spec.inputs],
                output_names=[port.name for port in spec.outputs],
                dynamic_shapes=_dynamic_shapes(module, spec) if size is None else None,
            )
    except Exception as error:
        # The exporter raises dozens of types of its own; all mean that this graph cannot be made.
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(
            f"torch to ONNX, {spec.name}: {type(error).__name__}: {reason}"
        ) from error
    if program is None:
        raise ExportError(f"torch to ONNX, {spec.name}: the exporter gave no graph")
    return clean(constants_to_initializers(program.model_proto), spec)


def constants_to_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with every Constant node as an initialiser of the same name.

    A quantiser would take a Constant node's output for an activation.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.ClearField("node")
    for node in model.graph.node:
        if node.op_type == "Constant":
            result.graph.initializer.append(_constant_value(node))
        else:
            result.graph.node.add().CopyFrom(node)
    return result


def clean(model: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """`model` without doc strings, tool names, traces and metadata; its nodes numbered in order.

    The same weights then give the same bytes, wherever and however often they are exported.
    """
    result = onnx.ModelProto(ir_version=model.ir_version)
    result.opset_import.add(domain="", version=OPSET)
    result.graph.name = spec.name
    for number, node in enumerate(model.graph.node):
        if node.domain not in ("", "ai.onnx"):
            raise ExportError(f"torch to ONNX, {spec.name}: operator {node.domain}.{node.op_type}")
        copy = result.graph.node.add()
        copy.CopyFrom(node)
        copy.name = f"{node.op_type}_{number}"
        copy.ClearField("doc_string")
        copy.ClearField("metadata_props")
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        result.graph.initializer.append(numpy_helper.from_array(values, initializer.name))
    for source, target in (
        (model.graph.input, result.graph.input),
        (model.graph.output, result.graph.output),
    ):
        for value in source:
            target.add(name=value.name).type.CopyFrom(value.type)
    return result


def set_metadata(model: onnx.ModelProto, metadata: dict[str, str]) -> onnx.ModelProto:
    """`model` with `edgecodec.<key>` set for every entry of `metadata`, and the tool's name."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.producer_name = "edgecodec"
    result.ClearField("metadata_props")
    for key in sorted(metadata):
        result.metadata_props.add(key=f"edgecodec.{key}", value=metadata[key])
    return result


def to_bytes(model: onnx.ModelProto) -> bytes:
    """`model` serialised so that equal models give equal bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _dynamic_shapes(module: nn.Module, spec: NetworkSpec) -> tuple[Any, ...]:
    """Height and width as multiples of two symbols that count cells of the coarsest stride."""
    step = alignment(spec)
    # torch.export takes sizes 0 and 1 for constants; the graph that it makes still runs them.
    height, width = (torch.export.Dim(name, min=2, max=4096) for name in ("h", "w"))

    def axes(port: PortSpec) -> dict[int, Any]:
        if port.stride == PER_SCENE:
            return {}
        factor = step // port.stride
        if factor == 1:
            return {2: height, 3: width}
        return {2: factor * height, 3: factor * width}

    shapes = tuple(axes(port) for port in spec.inputs)
    forward = type(module).forward
    return (shapes,) if forward.__code__.co_flags & CO_VARARGS else shapes


def _constant_value(node: onnx.NodeProto) -> onnx.TensorProto:
    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if not isinstance(value, onnx.TensorProto):
        dtype = np.float32 if "float" in attribute.name else np.int64
        value = numpy_helper.from_array(np.array(value, dtype))
    tensor = onnx.TensorProto()
    tensor.CopyFrom(value)
    tensor.name = node.output[0]
    return tensor


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences warnings that no caller can act on, such as that torchvision is not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
