"""The scan: three ways, one answer; weights as in mamba-ssm; its kernel only where it is right."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backends.hyperspectral import recurrence, selective_scan, token_groups
from backends.hyperspectral.pixel_clusters import make_sequences
from backends.hyperspectral.recurrence import scan_blocked, scan_chunked, scan_loop
from backends.hyperspectral.selective_scan import (
    Mamba,
    convolve,
    fused_scan,
    fused_status,
    softplus,
)
from backends.hyperspectral.token_groups import chosen_groups, read_chosen


def given(length: int, batch: int = 2) -> list[Tensor]:
    made = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made)

    x, delta = normal(batch, length, 6), torch.rand(batch, length, 6, generator=made)
    a = -torch.rand(6, 4, generator=made) - 0.1
    values = (x, delta, a, normal(batch, length, 4), normal(batch, length, 4))
    return [v.requires_grad_() for v in values]


def run(scan: Callable[..., Tensor], values: list[Tensor]) -> list[Tensor]:
    out = scan(*values)
    weight = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * weight).sum(), values)]


@pytest.mark.parametrize("length", [1, 3, 4, 65])
@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("least", [1, 8])
def test_scan_equivalence(
    length: int, chunk: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrence, "BLOCK_STEPS", chunk)
    monkeypatch.setattr(recurrence, "LEAST_STEPS", least)
    truth = run(scan_loop, given(length))
    for scan in (lambda *v: scan_chunked(*v, chunk=chunk), scan_blocked):
        for mine, theirs in zip(run(scan, given(length)), truth, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("elements", [100, 1000])
def test_batches_cut_in_pieces_are_equal(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = run(scan_loop, given(20, batch=7))
    monkeypatch.setattr(recurrence, "BLOCK_ELEMENTS", elements)
    for mine, theirs in zip(run(scan_blocked, given(20, batch=7)), truth, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_what_a_scan_said_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "BLOCK_ELEMENTS", 1000)
    kept = recurrence.Kept()
    with torch.no_grad():
        scan_blocked(*given(20, batch=7), kept=kept)
    ran = []
    block = recurrence._run_block
    monkeypatch.setattr(recurrence, "_run_block", lambda *v: (ran.append(1), block(*v)))
    values = given(20, batch=7)
    again = scan_blocked(*values, kept=kept)
    assert not ran
    weight = torch.linspace(-1, 1, again.numel()).view(again.shape)
    mine = [again.detach(), *torch.autograd.grad((again * weight).sum(), values)]
    for one, other in zip(mine, run(scan_loop, given(20, batch=7)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_groups_that_run_again_give_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    block = Mamba(8, 4)
    u = torch.randn(5, 9, 8)

    def answers() -> list[Tensor]:
        block.zero_grad()
        seen: list[Tensor] = []
        mine = u.clone().requires_grad_()
        out = block(mine, seen)
        (out * torch.linspace(0, 1, 8)).sum().backward()
        return [out.detach(), torch.cat(seen), mine.grad, *(p.grad for p in block.parameters())]

    at_once = answers()
    monkeypatch.setattr(selective_scan, "LARGE_TOKENS", 0)
    monkeypatch.setattr(token_groups, "GROUP_TOKENS", 18)
    for mine, theirs in zip(answers(), at_once, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scan", [scan_chunked, scan_blocked])
def test_long_sequences_stay_finite_and_exact(scan: Callable[..., Tensor]) -> None:
    """Dividing by the product of all decays would overflow float32 after some 300 steps."""
    made = torch.Generator().manual_seed(0)
    x, delta = (torch.rand(1, 1500, 2, generator=made) for _ in range(2))
    a = -torch.tensor([[0.5, 4.0, 16.0], [1.0, 8.0, 30.0]])
    b, c = (torch.randn(1, 1500, 3, generator=made) for _ in range(2))
    exact = scan_loop(*(v.double() for v in (x, delta, a, b, c)))
    assert float((delta * a[0, 2]).sum()) < -5000  # exp(5000) is the product's inverse
    torch.testing.assert_close(scan(x, delta, a, b, c).double(), exact, rtol=1e-4, atol=1e-5)
    twice = scan(*(v.double() for v in (x, delta, a, b, c)))
    torch.testing.assert_close(twice, exact, rtol=0, atol=1e-12)


class _Largest(TorchDispatchMode):
    """Remembers the most elements any result had."""

    most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(value, Tensor):
                self.most = max(self.most, value.numel())
        return out


@pytest.mark.parametrize("learning", [False, True])
def test_states_of_all_steps_are_never_held(learning: bool) -> None:
    """(length, channels, states) of a whole scene would be gigabytes."""
    values = [v.detach().requires_grad_(learning) for v in given(5000, batch=8)]
    naive = 8 * 5000 * 6 * 4
    with _Largest() as seen:
        out = scan_blocked(*values)
        if learning:
            out.sum().backward()
    assert 8 * 5000 * 6 <= seen.most <= naive // 3


@pytest.mark.parametrize("most", [40, 8192])
def test_chosen_pixels_are_read_as_one_padded_batch_would_be(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    block = Mamba(8, 4)
    hard, score = torch.randint(5, (90,)) ** 2 // 4, torch.rand(90)
    kept = torch.arange(90) % 9 > 0
    sequences = make_sequences(hard, score, 12, kept=kept)
    monkeypatch.setattr(token_groups, "GROUP_TOKENS", most)
    groups = chosen_groups(sequences, 40)
    assert len(groups) > 2
    assert all(g.mask.numel() <= 40 and bool(g.mask.any(1).all()) for g in groups)
    x = torch.randn(90, 8)
    weight = torch.linspace(-1, 1, 90 * 8).view(90, 8)

    def answers(together: bool) -> list[Tensor]:
        block.zero_grad()
        mine = x.clone().requires_grad_()
        if together:
            seen: list[Tensor] = []
            read, mask = block.read(mine[sequences.members], seen), sequences.mask
            out = torch.zeros_like(mine).index_add(0, sequences.members[mask], read[mask])
            step = torch.zeros(90)
            step[sequences.members[mask]] = seen[0][mask]
        else:
            out, step = read_chosen(
                lambda u, _, steps, kept: block.read(u, steps, kept),
                sequences,
                mine,
                block.parameters(),
            )
        (out * weight).sum().backward()
        return [out.detach(), step, mine.grad, *(p.grad for p in block.parameters())]

    for mine, theirs in zip(answers(False), answers(True), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scan", ["loop", "blocked", "chunked"])
def test_causal_and_padding_at_the_end_is_harmless(scan: str) -> None:
    torch.manual_seed(0)
    block = Mamba(8, 4, scan=scan).eval()
    u = torch.randn(2, 70, 8)
    changed = u.clone()
    changed[:, 40:] += 1
    padded = torch.cat([u, torch.zeros(2, 30, 8)], dim=1)
    with torch.no_grad():
        before, after, longer = block(u), block(changed), block(padded)
    torch.testing.assert_close(after[:, :40], before[:, :40])
    torch.testing.assert_close(longer[:, :70], before)
    assert float((after[:, 40:] - before[:, 40:]).abs().max()) > 1e-4


@pytest.mark.parametrize("length", [1, 2, 4, 30])
def test_own_convolution_and_softplus_equal_those_of_torch(length: int) -> None:
    torch.manual_seed(length)
    block = Mamba(4, 4)
    x = torch.randn(length, 2, 8, dtype=torch.float64, requires_grad=True)
    block.double()
    ours = convolve(x, block.conv1d.weight[:, 0], block.conv1d.bias)
    before = block.conv1d(x.permute(1, 2, 0))[..., :length].permute(2, 0, 1)
    theirs = torch.nn.functional.silu(before)
    torch.testing.assert_close(ours, theirs)
    wanted = (x, block.conv1d.weight, block.conv1d.bias)
    weight = torch.randn_like(ours)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), wanted),
        torch.autograd.grad((theirs * weight).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)
    wide = torch.tensor([-80.0, -3, 0, 3, 80], requires_grad=True)
    torch.testing.assert_close(softplus(wide), torch.nn.functional.softplus(wide))
    torch.testing.assert_close(
        torch.autograd.grad(softplus(wide).sum(), wide)[0], torch.sigmoid(wide)
    )


@pytest.mark.parametrize(("width", "weights"), [(32, 9_920), (128, 116_480), (320, 675_200)])
def test_names_and_counts_as_in_mamba_ssm(width: int, weights: int) -> None:
    block = Mamba(width)
    inner, rank = 2 * width, -(-width // 16)
    shapes = {name: tuple(value.shape) for name, value in block.state_dict().items()}
    assert shapes == {
        "A_log": (inner, 16),
        "D": (inner,),
        "in_proj.weight": (2 * inner, width),
        "conv1d.weight": (inner, 1, 4),
        "conv1d.bias": (inner,),
        "x_proj.weight": (rank + 32, inner),
        "dt_proj.weight": (inner, rank),
        "dt_proj.bias": (inner,),
        "out_proj.weight": (width, inner),
    }
    assert sum(p.numel() for p in block.parameters()) == weights


@pytest.fixture
def probe_anew() -> Iterator[None]:
    """Ask for the kernel again, before and after."""
    selective_scan._probe.cache_clear()
    yield
    selective_scan._probe.cache_clear()


def _installed(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    """Pretend that mamba-ssm is installed, its kernel off by ``error``."""

    def selective_scan_fn(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        swapped = [v.transpose(1, 2) for v in (u, delta, b, c)]
        out = scan_loop(swapped[0], swapped[1], a, swapped[2], swapped[3])
        return out.transpose(1, 2) + error

    interface = types.ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = selective_scan_fn  # type: ignore[attr-defined]
    for name in ("selective_scan_cuda", "mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.selective_scan_interface", interface)


@pytest.mark.usefixtures("probe_anew")
def test_fused_kernel_is_used_where_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, 1e-5)
    scan = fused_scan()
    assert scan is not None
    assert "is used" in fused_status()
    values = given(10)
    torch.testing.assert_close(scan(*values), scan_loop(*values), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("probe_anew")
def test_fused_kernel_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, 0.01)
    assert fused_scan() is None
    assert "differs from ours by 0.01" in fused_status()


@pytest.mark.usefixtures("probe_anew")
def test_without_the_kernel_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", None)
    assert fused_scan() is None
    assert "plain PyTorch" in fused_status()


def test_no_cuda_import() -> None:
    code = (
        "import sys\n"
        "for name in ('mamba_ssm', 'triton', 'selective_scan_cuda'): sys.modules[name] = None\n"
        "import torch\n"
        "from backends.hyperspectral import css_mamba, es_mhc, networks\n"
        "from backends.hyperspectral.selective_scan import Mamba\n"
        "print(tuple(Mamba(8, 4)(torch.zeros(1, 5, 8)).shape))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "(1, 5, 8)"
