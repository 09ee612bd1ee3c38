"""The names that people read, of the tasks and networks that this project brings along; tables keep the exact ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

TASKS = {
    "elpv": "solar cells",
    "elpv_mono": "monocrystalline solar cells",
    "elpv_poly": "polycrystalline solar cells",
    "elpv_type": "solar cells by kind",
    "elpv_level_type": "solar cells by defect and kind",
    "mnist5k": "MNIST-5k",
    "digits": "UCI digits",
    "cifar10": "CIFAR-10",
    "gtsrb": "traffic signs",
}
NETWORKS = {
    "tf_efficientnet_lite0.in1k": "EfficientNet-Lite0",
    "tf_efficientnet_lite1.in1k": "EfficientNet-Lite1",
    "tf_efficientnet_lite2.in1k": "EfficientNet-Lite2",
    "mobilenetv2_imagenet": "MobileNetV2 (ImageNet)",
    "mobilenetv2_birds": "MobileNetV2 (birds)",
    "mobilenetv2_insects": "MobileNetV2 (insects)",
    "mobilenetv1_025": "MobileNetV1 x0.25",
    "mobilenetv1_050": "MobileNetV1 x0.5",
    "mobilenetv1_075": "MobileNetV1 x0.75",
    "squeezenet1_1": "SqueezeNet 1.1",
    "cifar_resnet20": "ResNet-20 (CIFAR-10)",
    "cifar_resnet32": "ResNet-32 (CIFAR-10)",
    "vggm": "VGGm",
    "small_networks": "small networks trained here",
}
_CLASSES = re.compile(r"(?P<task>.+)\[(?P<first>\d+)-(?P<last>\d+)\]")
_FOLDER = re.compile(r"folder:(?:.*/)?(?P<task>[^/]+)")
_SMALL = re.compile(r"(?P<family>vggm|resnet|vit)(?P<depth>\d+)-w(?P<width>\d+)(?P<late>-late)?")  # trained here
_FAMILIES = {"vggm": "VGGm", "resnet": "ResNet", "vit": "ViT"}
_CORRUPTED = re.compile(r"(?P<task>.+)\+(?P<kind>\w+):(?P<severity>\d)")


def readable(name: str) -> str:
    """Return what people read for the task or network `name`; a name that is not known stays as it is.

    Examples
    --------
    >>> readable("elpv"), readable("mnist5k+noise:3"), readable("my-task")
    ('solar cells', 'MNIST-5k + noise 3', 'my-task')
    >>> readable("cifar10[0-7]"), readable("folder:data/gtsrb")
    ('CIFAR-10, classes 0 to 7', 'traffic signs')
    >>> readable("vggm11-w8")
    'VGGm-11, width 8'
    """
    if (parts := _CLASSES.fullmatch(name)) is not None:
        return f"{readable(parts['task'])}, classes {parts['first']} to {parts['last']}"
    if (parts := _CORRUPTED.fullmatch(name)) is not None:
        return f"{readable(parts['task'])} + {parts['kind']} {parts['severity']}"
    if (parts := _SMALL.fullmatch(name)) is not None:
        late = " pooled late" if parts["late"] else ""
        return f"{_FAMILIES[parts['family']]}-{parts['depth']}, width {parts['width']}{late}"
    folder = _FOLDER.fullmatch(name)
    return TASKS.get(folder["task"] if folder else name) or NETWORKS.get(name, name)


def cell_name(model: str, task: str) -> str:
    """Return what people read for a network on a task: ``EfficientNet-Lite0 on solar cells``."""
    return f"{readable(model)} on {readable(task)}"


def span(values: Iterable[float], *, times: float = 100, digits: int | None = 1) -> str:
    """Return the least and the greatest of `values`, `times` as large: ``1.4 to 23.5``, or one number where they agree.

    With `digits` None a number has the digits that it needs, at most four.
    """
    known = [times * value for value in values]
    low, high = (f"{end:.4g}" if digits is None else f"{end:.{digits}f}" for end in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def value_words(value: float, *, share: bool) -> str:
    """Return a number as headings have it: a share in percent, others with three digits and no exponent."""
    if share:
        return f"{100 * value:.0f} %" if abs(100 * value - round(100 * value)) < 1e-6 else f"{100 * value:.1f} %"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return text if "e" not in text else "below 0.0001" if value > 0 else f"{value:.4f}"
