"""What is known of the calibration networks besides their layers."""

from __future__ import annotations

# Published graphs that begin by normalising the picture with a mean and a deviation for each
# colour: `normalize_image_torchvision` in Qualcomm AI Hub Models (github.com/quic/ai-hub-models),
# imagenet_classifier/model.py, cityscapes_segmentation/model.py, fcn_resnet50/model.py.
# googlenet and inception_v3 multiply by 2 and subtract 1 instead, which quantisation takes in; the
# super-resolution, video and U-Net graphs take pictures as they are.
NORMALISED = frozenset(
    {
        *("convnext_base", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_b4"),
        *("efficientnet_v2_s", "fcn_resnet50", "ffnet_122ns_lowres", "ffnet_40s", "ffnet_54s"),
        *("ffnet_78s", "ffnet_78s_lowres", "mnasnet05", "mobilenet_v2", "mobilenet_v3_large"),
        *("mobilenet_v3_small", "regnet", "regnet_y_800mf", "resnet101", "resnet18", "resnet50"),
        *("resnext101", "resnext50", "squeezenet1_1", "vit", "wideresnet50"),
    }
)

# Networks that share building blocks: longest prefix first.
_FAMILIES = {
    "resnet_": "resnet 3-D",
    "resnext": "resnext",
    "resnet": "resnet",
    "wideresnet": "resnet",
    "fcn_resnet": "resnet",
    "ffnet": "ffnet",
    "quicksrnet": "quicksrnet",
    "real_esrgan": "esrgan",
    "esrgan": "esrgan",
    "regnet": "regnet",
    "convnext": "convnext",
    "efficientnet": "efficientnet",
    "mobilenet": "mobilenet",
    "mnasnet": "mobilenet",
    "sesr": "sesr",
}


def family(network: str) -> str:
    """The family of `network`; one without relatives is its own."""
    for prefix, name in _FAMILIES.items():
        if network.startswith(prefix):
            return name
    return network
