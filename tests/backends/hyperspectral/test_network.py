"""The pieces of the white-box network, pinned to known values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.errors import BadInput
from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
from backends.hyperspectral.groups import band_groups
from backends.hyperspectral.hyper_connection import Mixing, mix_streams
from backends.hyperspectral.prediction import blend_weights, tiles
from backends.hyperspectral.recurrence import scan_blocked, scan_chunked, scan_loop
from backends.hyperspectral.selective_scan import Mamba
from backends.hyperspectral.sinkhorn import sinkhorn


def test_sinkhorn_is_doubly_stochastic_and_keeps_its_gradient() -> None:
    torch.manual_seed(0)
    logits = (4 * torch.rand(50, 5, 5) - 2).requires_grad_()
    matrices = sinkhorn(logits)
    assert float((matrices.detach().sum(-1) - 1).abs().max()) < 1e-4
    assert float((matrices.detach().sum(-2) - 1).abs().max()) < 1e-5
    order = torch.randperm(5)
    torch.testing.assert_close(
        sinkhorn(logits[:, order][:, :, order]), matrices[:, order][:, :, order]
    )
    far = torch.tensor([[9.0, 0.0], [0.0, 1.0]], requires_grad=True)
    sinkhorn(far)[0, 1].backward()
    assert far.grad is not None
    assert torch.isfinite(far.grad).all()
    assert float(far.grad.abs().max()) > 0


def test_row_is_source_and_column_is_target() -> None:
    streams = torch.zeros(1, 3, 2)
    streams[0, 0] = torch.tensor([5.0, 7.0])  # only stream 0 carries something
    mix = torch.zeros(1, 3, 3)
    mix[0, 0, 2] = mix[0, 1, 0] = mix[0, 2, 1] = 1.0  # 0 -> 2
    moved = mix_streams(streams, Mixing(torch.ones(1, 3), mix, torch.ones(1, 3)))
    assert moved[0, 2].tolist() == [5.0, 7.0]
    assert float(moved[0, :2].abs().sum()) == 0


@pytest.mark.parametrize("length", [1, 3, 4, 65, 130])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_scans_agree_forward_and_backward(length: int, chunk: int) -> None:
    torch.manual_seed(length)

    def arguments() -> list[torch.Tensor]:
        torch.manual_seed(length)
        x, delta = torch.randn(2, length, 3), torch.rand(2, length, 3)
        a, b, c = -torch.rand(3, 4), torch.randn(2, length, 4), torch.randn(2, length, 4)
        return [v.double().requires_grad_() for v in (x, delta, a, b, c)]

    results = []
    for scan in (scan_loop, lambda *v: scan_chunked(*v, chunk=chunk), scan_blocked):
        given = arguments()
        out = scan(*given)
        (out * torch.linspace(0, 1, length)[None, :, None]).sum().backward()
        results.append((out.detach(), [v.grad for v in given]))
    for out, grads in results[1:]:
        torch.testing.assert_close(out, results[0][0], rtol=1e-5, atol=1e-6)
        for mine, theirs in zip(grads, results[0][1], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_mamba_is_causal_and_named_as_in_mamba_ssm() -> None:
    torch.manual_seed(0)
    block = Mamba(8, 4).eval()
    names = {name.split(".")[0] for name in block.state_dict()}
    assert names == {"in_proj", "conv1d", "x_proj", "dt_proj", "A_log", "D", "out_proj"}
    u = torch.randn(1, 20, 8)
    changed = u.clone()
    changed[:, 12:] += 1
    with torch.no_grad():
        before, after = block(u), block(changed)
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert float((before[:, 12:] - after[:, 12:]).abs().max()) > 1e-4


def test_groups_drop_what_is_empty_and_say_when_they_guess() -> None:
    pavia = band_groups(np.linspace(430, 860, 103), 103)
    assert pavia.sizes() == {"FULL": 103, "VIS": 65, "NIR": 38}
    physical = np.concatenate(pavia.members[1:])
    assert sorted(physical.tolist()) == list(range(103))
    assert "equal slices" in band_groups(None, 20).note
    with pytest.raises(BadInput, match="at least 3 bands"):
        band_groups(None, 2)


def test_network_shapes_and_records() -> None:
    torch.manual_seed(0)
    groups = band_groups(np.linspace(400, 2500, 30), 30)
    network = EsMhc(groups, 4, NetworkSettings()).eval()
    with torch.no_grad():
        logits, records = network(torch.rand(70, 30), record=True)
    assert logits.shape == (70, 4)
    assert [(r.layer, r.site) for r in records] == [
        (1, "mixer"), (1, "ffn"), (2, "mixer"), (2, "ffn"),
    ]  # fmt: skip
    for record in records:
        assert record.mixing.mix.shape == (70, 5, 5)
        assert float((record.mixing.mix.sum(1) - 1).abs().max()) < 1e-3


@pytest.mark.parametrize("shape", [(10, 10), (100, 37), (33, 400), (256, 256)])
@pytest.mark.parametrize("pixels", [1024, 4096, 10**6])
def test_tiles_cover_everything_and_blend_to_one(shape: tuple[int, int], pixels: int) -> None:
    total = np.zeros(shape)
    value = np.zeros(shape)
    for window in tiles(*shape, pixels):
        share = blend_weights(window.height, window.width, window, shape)
        assert share.min() > 0
        total[window.slices] += share
        value[window.slices] += 3.0 * share
    assert total.min() > 0
    np.testing.assert_allclose(value / total, 3.0)
