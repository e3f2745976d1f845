"""Qualcomm chips by name, as their compiler numbers them.

Numbers and architectures are Qualcomm's own:

- "Supported Snapdragon devices" of the AI Engine Direct SDK,
  https://docs.qualcomm.com/bundle/publicresource/topics/80-63442-50/overview.html
- `SocModelFromName` in `onnxruntime/core/providers/qnn/soc_utils.cc` of
  https://github.com/onnxruntime/onnxruntime-qnn, and `Qnn_SocModel_t` in the SDK's `QnnTypes.h`
- `kSocInfos` in `litert/vendors/qualcomm/core/schema/soc_table.h` of
  https://github.com/google-ai-edge/LiteRT (from the documentation of QAIRT 2.47)

The compiler writes the chip that it compiled for into every context binary; `compile_qnn` compares
that name with `Soc.part`, so that a wrong number here cannot pass unseen.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...runtime.errors import UnsupportedError


@dataclass(frozen=True)
class Soc:
    """One chip.

    `name`: what people call it, in `--soc`. `part`: Qualcomm's part number, as the compiler writes
    it. `soc_model`: the compiler's number. `arch`: the version of its Hexagon processor.
    """

    name: str
    part: str
    soc_model: int
    arch: int


def known_socs() -> tuple[Soc, ...]:
    """Every chip that can be named: phones from the newest on, laptops, embedded, cars."""
    return (
        Soc("8elite-gen5", "SM8850", 87, 81),
        Soc("8gen5", "SM8845", 97, 81),
        Soc("8elite", "SM8750", 69, 79),
        Soc("8s-gen4", "SM8735", 85, 73),
        Soc("8gen3", "SM8650", 57, 75),
        Soc("8s-gen3", "SM8635", 68, 73),
        Soc("8gen2", "SM8550", 43, 73),
        Soc("8plus-gen1", "SM8475", 42, 69),
        Soc("8gen1", "SM8450", 36, 69),
        Soc("888", "SM8350", 30, 68),
        Soc("7gen4", "SM7750", 86, 73),
        Soc("7plus-gen3", "SM7675", 70, 73),
        Soc("7s-gen3", "SM7635", 73, 73),
        Soc("7gen3", "SM7550", 64, 73),
        Soc("7gen1", "SM7450", 41, 69),
        Soc("778g", "SM7325", 35, 68),
        Soc("x2-elite", "SC8480XP", 88, 81),
        Soc("x-elite", "SC8380XP", 60, 73),
        Soc("8cx-gen3", "SC8280X", 37, 68),
        Soc("qcs9100", "QCS9100", 77, 73),
        Soc("qcs8550", "QCS8550", 66, 73),
        Soc("qcs8300", "QCS8300", 82, 75),
        Soc("qcs6490", "QCS6490", 93, 68),
        Soc("sa8797", "SA8797", 72, 81),
        Soc("sa8295", "SA8295", 39, 68),
        Soc("sa8255", "SA8255", 52, 73),
    )


# The same chip under another name: in a laptop, a car, or with another marketing number.
_ALIASES = {
    "x-plus": "x-elite",
    "x2-plus": "x2-elite",
    "qcs9075": "qcs9100",
    "qcs8275": "qcs8300",
    "qcm6490": "qcs6490",
    "sa8775": "sa8255",
    "8gen1plus": "8plus-gen1",
}


def find_soc(text: str) -> Soc:
    """The chip called `text`: its name, with or without "snapdragon", or its part number.

    Raises `UnsupportedError` that lists the names that are known.
    """
    name = text.strip().lower().removeprefix("snapdragon").replace(" ", "").strip("-_")
    name = _ALIASES.get(name, name)
    for soc in known_socs():
        if _plain(name) in (_plain(soc.name), _plain(soc.part)):
            return soc
    known = ", ".join(soc.name for soc in known_socs())
    raise UnsupportedError(
        f"there is no chip called {text!r}: use {known}, or a part number such as SM8650"
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
