"""About how long a training will take: from what like ones took on this machine."""

from __future__ import annotations

from backends.learning.trained_networks import TrainedNetwork, trained_networks

# Billions of operations of one pass at 128 × 128 pixels, by torch.utils.flop_counter.
_GFLOPS_128 = {
    "compact_cnn": 1.97,
    "mobilenetv2_100": 0.19,
    "squeezenet1_0": 0.38,
    "efficientnet_b0": 0.25,
    "resnet18": 1.19,
    "resnet50": 2.62,
    "resnet101": 5.04,
    "densenet161": 4.97,
    "vit_base_patch16_224": 11.07,
}
# A pass for learning costs about three; what two cores do, until this machine has figures.
_FLOPS_A_SECOND = 20e9
_LEAST_S_AN_IMAGE = 0.008


def expected_teaching_seconds(
    model: str,
    images: int,
    size: tuple[int, int],
    epochs: int,
    *,
    known: list[TrainedNetwork] | None = None,
) -> float | None:
    """Return about how many seconds a training takes; None where nothing is known.

    Parameters
    ----------
    model : str
    images : int
        Training images.
    size : (rows, cols)
    epochs : int
    known : list of TrainedNetwork, optional
        Default: those taught here.
    """
    area = size[0] * size[1]
    for network in trained_networks() if known is None else known:
        card = network.card
        if card.get("architecture") != model:
            continue
        try:
            done = len(card["curve"]["done"])
            taught = sum(row["train"]["images"] for row in card["data"]["split"]["parts"])
            before = card["size"][0] * card["size"][1]
            each = card["training"]["seconds"] / (done * taught * before)
        except (KeyError, TypeError, ZeroDivisionError):
            continue
        return float(each * images * epochs * area)
    if model not in _GFLOPS_128:
        return None
    flops = 3e9 * _GFLOPS_128[model] * area / 128**2
    return images * epochs * max(_LEAST_S_AN_IMAGE, flops / _FLOPS_A_SECOND)
