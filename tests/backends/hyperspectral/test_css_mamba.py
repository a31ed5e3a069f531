"""CSSMamba: shapes, gradients of the selection, equality of paths, what the viewer gets."""

from __future__ import annotations

import pytest
import torch

from backends.errors import WrongUse
from backends.hyperspectral.css_mamba import CssMamba, CssSettings

SMALL = {"width": 16, "blocks": 2, "clusters": 8, "context": 1, "dropout": 0.0}


def network(**change: object) -> CssMamba:
    torch.manual_seed(0)
    return CssMamba(20, 4, CssSettings(**({"components": 0} | SMALL | change)))  # type: ignore[arg-type]


def test_logits_and_records() -> None:
    made = network().eval()
    with torch.no_grad():
        logits, records = made(torch.rand(300, 20), record=True)
    assert logits.shape == (300, 4)
    assert len(records) == 2
    for record in records:
        assert record.membership.shape == (300, 8)
        torch.testing.assert_close(record.membership.sum(1), torch.ones(300))
        assert bool((record.rank >= 0).all())
        assert bool((record.step > 0).all())
        assert record.fusion.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("selection", ["hybrid", "cluster", "attention"])
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_the_selection_receives_a_gradient(selection: str, kept: float) -> None:
    made = network(selection=selection, kept=kept).train()
    logits, _ = made(torch.rand(200, 20))
    logits.square().mean().backward()  # the task alone, without the cluster loss
    branch = made.blocks[0].spatial
    wanted = {
        "hybrid": (branch.query.weight, branch.key.weight, branch.balance, branch.clusters.centres),
        "cluster": (branch.clusters.centres, branch.clusters.log_temperature),
        "attention": (branch.query.weight, branch.key.weight),
    }[selection]
    for value in wanted:
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


def test_half_the_pixels_are_read() -> None:
    made = network(kept=0.5).eval()
    with torch.no_grad():
        _, records = made(torch.rand(200, 20), record=True)
    assert int((records[0].rank >= 0).sum()) == 100


def test_no_gradient_path_gives_the_same_answer() -> None:
    made = network(longest=16).eval()
    spectra = torch.rand(500, 20)
    with torch.no_grad():
        quiet, _ = made(spectra)
    loud, _ = made(spectra)
    torch.testing.assert_close(quiet, loud.detach(), rtol=1e-5, atol=1e-5)


def test_pixels_without_data_are_in_no_sequence() -> None:
    made = network().eval()
    valid = torch.arange(100) % 3 > 0
    with torch.no_grad():
        _, records = made(torch.rand(100, 20), valid=valid, record=True)
    assert bool((records[0].rank[~valid] == -1).all())
    assert bool((records[0].rank[valid] >= 0).all())


def test_the_order_of_pixels_does_not_matter() -> None:
    made = network().eval()
    spectra, order = torch.rand(150, 20), torch.randperm(150)
    with torch.no_grad():
        straight, _ = made(spectra)
        shuffled, _ = made(spectra[order])
    torch.testing.assert_close(straight[order], shuffled, rtol=1e-4, atol=1e-4)


def test_widths_that_do_not_divide_are_refused() -> None:
    with pytest.raises(WrongUse, match="divisible"):
        network(width=18)
