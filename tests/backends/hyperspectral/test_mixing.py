"""Streams, their mixing and the token lists: facts of the brief, computed again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from backends.bands import BandTable
from backends.errors import WrongUse
from backends.hyperspectral import es_mhc
from backends.hyperspectral.es_mhc import EsMhc, NetworkSettings
from backends.hyperspectral.groups import band_groups, groups_for
from backends.hyperspectral.hyper_connection import HyperConnection, mix_streams
from backends.hyperspectral.networks import build, rebuild
from backends.hyperspectral.normalise import BandStretch, fit_stretch
from backends.hyperspectral.records import deviations
from backends.hyperspectral.sinkhorn import LOGIT_LIMIT, residual, sinkhorn
from backends.scene import ArraySource, Scene, SceneInfo

PLAIN = {"components": 0, "context": 1}


def network(settings: NetworkSettings, classes: int = 3, bands: int = 30) -> EsMhc:
    torch.manual_seed(0)
    return EsMhc(band_groups(np.linspace(400, 2500, bands), bands), classes, settings)


# -- where the matrices start ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "gain", "diagonal", "off"),
    [
        (4, 1.0, 0.475, 0.175),
        (5, 1.0, 0.4046, 0.1488),
        (8, 1.0, 0.280, 0.103),
        (5, 4.0, 0.932, 0.017),
    ],
)
def test_sinkhorn_n5_identity_logits(n: int, gain: float, diagonal: float, off: float) -> None:
    matrix = sinkhorn(gain * torch.eye(n))
    digits = 1e-4 if (n, gain) == (5, 1.0) else 6e-4
    assert float(matrix[0, 0]) == pytest.approx(diagonal, abs=digits)
    assert float(matrix[0, 1]) == pytest.approx(off, abs=digits)
    assert HyperConnection(n, 4, gain=gain).static_weights().mix[0, 0] == matrix[0, 0]


@pytest.mark.parametrize(("gain", "second", "deep"), [(1.0, 0.256, 7.8e-8), (4.0, 0.915, 0.34)])
def test_what_twelve_hyper_connections_leave(gain: float, second: float, deep: float) -> None:
    values = torch.linalg.eigvals(sinkhorn(gain * torch.eye(5)).double()).abs().sort().values
    assert float(values[-2]) == pytest.approx(second, abs=1e-3)
    assert float(values[-2]) ** 12 == pytest.approx(deep, rel=0.02)


def test_gradient_lives_at_the_clamp() -> None:
    logits = torch.full((5, 5), -LOGIT_LIMIT)
    logits[0, 0] = 3 * LOGIT_LIMIT
    logits.requires_grad_()
    sinkhorn(logits)[0, 1].backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[0].abs().max()) > 0


def test_rows_drift_only_where_scores_lie_far_apart() -> None:
    draw = torch.Generator().manual_seed(0)
    near = 4 * torch.rand(2000, 5, 5, generator=draw) - 2
    far = 4 * torch.randn(2000, 5, 5, generator=draw)
    assert residual(sinkhorn(near)) < 1e-3
    assert 1e-3 < residual(sinkhorn(far)) < 0.1  # said in the brief: up to 3e-2
    assert float((sinkhorn(far).sum(-2) - 1).abs().max()) < 1e-5  # columns come last


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("scale", [1.0, 1e3, 6e4])
def test_sinkhorn_of_extreme_scores_in_any_precision(dtype: torch.dtype, scale: float) -> None:
    """In the log domain and float32: a range of 160 would be e^160 otherwise."""
    draw = torch.Generator().manual_seed(0)
    logits = (scale * torch.randn(300, 5, 5, generator=draw)).clamp(-6e4, 6e4).to(dtype)
    logits.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        matrices = sinkhorn(logits)
    found = matrices.detach()
    assert found.dtype == torch.float32
    assert float((found.sum(-2) - 1).abs().max()) < 1e-5
    assert float(found.min()) > 0  # never an exact permutation, which nothing could change
    torch.testing.assert_close(found, sinkhorn(logits.detach().float()))
    matrices[:, 0, 1].sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad.abs().max()) > 0


def test_only_so_many_maps_are_free() -> None:
    draw = torch.Generator().manual_seed(0)
    matrices = sinkhorn(torch.randn(400, 5, 5, generator=draw)).double().flatten(1)
    sizes = torch.linalg.svdvals(matrices - matrices.mean(0))
    assert int((sizes > 1e-3 * sizes[0]).sum()) == 16


def test_visible_structure_is_small_and_kept_exactly_enough() -> None:
    """Scale 0.01: off the diagonal 98 % within 0.147 to 0.151; float16 must not round it away."""
    torch.manual_seed(0)
    scores = torch.eye(5) + 0.01 * torch.tanh(torch.randn(20_000, 5, 5))
    off = sinkhorn(scores)[:, ~torch.eye(5, dtype=torch.bool)].flatten()
    low, high = (float(off.quantile(q)) for q in (0.01, 0.99))
    assert (low, high) == pytest.approx((0.1471, 0.1507), abs=3e-4)
    site = HyperConnection(5, 40, dynamic=0.01)
    site.to_weights.weight.data.mul_(50)  # as far as it goes after a long training
    mixing = site.weights(torch.randn(4000, 5, 40))
    assert float(np.spacing(np.float16(0.149))) == pytest.approx(1.2e-4, rel=0.05)

    class Record:
        static, mixing = site.static_weights(), None

    Record.mixing = mixing
    static, deviation = deviations(Record, "mix")
    kept = static + deviation.astype(np.float16).astype(np.float32)
    assert np.abs(kept - mixing.mix.detach().numpy()).max() < 1e-5
    # Read and write start as in the source: 2 sigmoid(1 / n); FULL feeds most.
    assert deviations(Record, "write")[0] == pytest.approx(1.0997, abs=1e-3)
    assert deviations(Record, "read")[0] == pytest.approx([0.731, *[0.5] * 4], abs=1e-3)


def test_hres_orientation() -> None:
    """Only stream 1 carries something, H[1, 3] = 1: it appears in stream 3 only."""
    site = HyperConnection(4, 6, dynamic=0.0)
    order = [2, 3, 1, 0]
    with torch.no_grad():
        site.static_mix.copy_(-8.0 * torch.ones(4, 4))
        for source, target in enumerate(order):
            site.static_mix[source, target] = 8.0
    streams = torch.zeros(2, 4, 6)
    streams[:, 1] = 5.0
    moved = mix_streams(streams, site.weights(streams)).detach()
    torch.testing.assert_close(moved[:, 3], torch.full((2, 6), 5.0), rtol=1e-4, atol=1e-4)
    assert float(moved[:, :3].abs().max()) < 1e-3


# -- groups ------------------------------------------------------------------------------------


def test_groups_ip_real(clearband_data: object) -> None:
    """Real centres, and what equal spacing would have made of them."""
    from backends.io.shaping import load_wavelengths

    table, _ = load_wavelengths(f"{clearband_data}/hsi/indian_pines/92AV3C.spc", 200)
    nm = table.wavelengths()
    real = band_groups(nm, 200, full=False)
    assert list(real.sizes().values()) == [33, 31, 79, 57]
    assert sorted(np.concatenate(real.members).tolist()) == list(range(200))
    assert np.flatnonzero(np.diff(nm) < 0).tolist() == [30, 93]  # so bisecting would fail
    guessed = np.linspace(400, 2500, 200)
    naive = band_groups(guessed, 200, full=False)
    assert list(naive.sizes().values()) == [29, 28, 76, 67]
    group = np.empty((2, 200), int)
    for row, found in enumerate((real, naive)):
        for number, members in enumerate(found.members):
            group[row, members] = number
    assert int((group[0] != group[1]).sum()) == 21
    assert float(np.abs(nm - guessed).max()) == pytest.approx(124, abs=1)


def test_groups_go_by_the_wavelengths_of_the_bands_in_use() -> None:
    """Bad bands leave before the groups are made; numbers are those among the bands left."""
    nm = np.linspace(400, 2500, 64)
    good = ~(((nm > 1340) & (nm < 1450)) | ((nm > 1790) & (nm < 1960)))
    names = tuple(f"{v:.0f} nm" for v in nm)
    bands = BandTable(names, tuple(nm.tolist()), good=tuple(good.tolist()))
    cube = np.random.default_rng(0).random((9, 7, 64)).astype(np.float32)
    cube[:, :, 3] = 0.5  # holds nothing
    scene = Scene(ArraySource(cube), SceneInfo(None, "hyperspectral", bands, title="Bad bands"))
    stretch = fit_stretch(scene)
    found = groups_for(stretch)
    left = np.flatnonzero(good & (np.arange(64) != 3))
    np.testing.assert_array_equal(stretch.bands, left)
    edges = {"VIS": (400, 700), "NIR": (700, 1000), "SWIR1": (1000, 1800), "SWIR2": (1800, 2501)}
    assert found.names == ("FULL", *edges)
    for name, members in zip(found.names[1:], found.members[1:], strict=True):
        low, high = edges[name]
        wanted = (nm[left] >= low) & (nm[left] < high)
        np.testing.assert_array_equal(np.sort(members), np.flatnonzero(wanted))


def test_edges_belong_to_the_group_that_begins_there() -> None:
    found = band_groups(np.array([699.9, 700.0, 999.9, 1000.0, 1800.0]), 5, full=False)
    assert [m.tolist() for m in found.members] == [[0], [1, 2], [3], [4]]


# -- token lists -------------------------------------------------------------------------------


def test_settings_that_do_not_exist_are_sentences() -> None:
    for wrong in ({"cluster_source": "kmeans"}, {"list_scans": "many"}):
        with pytest.raises(WrongUse, match="cannot be"):
            network(NetworkSettings(**PLAIN, **wrong))  # type: ignore[arg-type]


def test_a_partition_reads_every_pixel_once() -> None:
    made = network(NetworkSettings(**PLAIN, cluster_source="lcm", clusters=6, list_length=16))
    valid = torch.ones(90, dtype=torch.bool)
    valid[:7] = False
    made.train()
    logits, records = made(torch.rand(90, 30), valid=valid, record=True)
    assert [r.lists is not None for r in records] == [True, False, True, False]
    lists = records[0].lists
    assert lists is not None
    assert (lists.sequence[:7] == -1).all()
    assert (lists.sequence[7:] >= 0).all()
    assert int(torch.bincount(lists.hard, minlength=6).max()) <= 23  # 1.5 * 90 / 6
    # Each list holds one cluster, the most typical pixel last, none longer than allowed.
    for number in range(int(lists.sequence.max()) + 1):
        members = (lists.sequence == number).nonzero().flatten()
        assert len(members) <= 16
        assert len(lists.hard[members].unique()) == 1
        ordered = members[lists.rank[members].argsort()]
        assert (lists.score[ordered].diff() >= 0).all()
    loss = functional.cross_entropy(logits, torch.randint(0, 3, (90,)))
    (loss + made.extra_loss).backward()
    assert float(made.extra_loss.detach()) > 0
    for layer in made.layers:
        for part in (layer.clusters.centres, layer.clusters.log_temperature, layer.list_code):
            assert part.grad is not None
            assert float(part.grad.abs().max()) > 0
    made.after_step()


def test_the_gate_gives_the_partition_a_gradient_of_the_task() -> None:
    made = network(NetworkSettings(**PLAIN, cluster_source="lcm", cluster_weight=0.0))
    logits, _ = made(torch.rand(60, 30))
    functional.cross_entropy(logits, torch.randint(0, 3, (60,))).backward()
    grad = made.layers[0].clusters.centres.grad
    assert grad is not None
    assert float(grad.abs().max()) > 0


def test_a_scan_for_each_list_is_another_network_with_the_same_lists() -> None:
    shared = network(NetworkSettings(**PLAIN))
    own = network(NetworkSettings(**PLAIN, list_scans="own"))
    assert len(own.layers[0].spatial) == 25
    # With the weights of the shared scan in each it must say the same.
    weights = shared.state_dict()
    with torch.no_grad():
        for layer in own.layers:
            for scan in layer.spatial:
                head = f"layers.{layer.number - 1}.spatial."
                scan.load_state_dict(
                    {k.removeprefix(head): v for k, v in weights.items() if k.startswith(head)}
                )
        own.load_state_dict(
            {k: v for k, v in weights.items() if ".spatial." not in k}, strict=False
        )
        spectra = torch.rand(120, 30)
        torch.testing.assert_close(own.eval()(spectra)[0], shared.eval()(spectra)[0])
        own.layers[0].spatial[3].out_proj.weight.zero_()
        assert float((own(spectra)[0] - shared(spectra)[0]).abs().max()) > 1e-6


@pytest.mark.parametrize("extra", [{"cluster_source": "lcm"}, {"list_scans": "own"}])
def test_both_settings_come_back_from_a_checkpoint(extra: dict[str, str]) -> None:
    stretch = BandStretch(np.arange(30), np.zeros(30), np.ones(30), np.linspace(400, 2500, 30))
    made = build("es_mhc", stretch, 3, NetworkSettings(**PLAIN, **extra))  # type: ignore[arg-type]
    arrays = {n: v.numpy() for n, v in made.network.state_dict().items()}
    again = rebuild("es_mhc", made.plan, arrays, 30, 3)
    spectra = torch.rand(40, 30)
    with torch.no_grad():
        torch.testing.assert_close(again(spectra)[0], made.network.eval()(spectra)[0])


def test_lists_of_a_tenth_leave_few_pixels_out() -> None:
    """25 lists of 10 % hold 93 % of the pixels, if entries know nothing of each other."""
    from backends.hyperspectral.token_lists import rank_lists

    draw = torch.Generator().manual_seed(0)
    lists = rank_lists(torch.rand(5000, 5, 5, generator=draw), 0.1, 512)
    held = torch.bincount(lists.members.flatten(), minlength=5000) > 0
    assert float(held.float().mean()) == pytest.approx(1 - 0.9**25, abs=0.01)


# -- full width --------------------------------------------------------------------------------


def test_weights_of_the_full_width() -> None:
    with torch.device("meta"):
        made = network(
            NetworkSettings(**PLAIN, **{**es_mhc.FULL_WIDTH, "list_scans": "own"}), 16, 200
        )
    assert made.width == 320
    scan = sum(p.numel() for p in made.layers[0].spatial[0].parameters())
    assert scan == 675_200
    total = sum(p.numel() for p in made.parameters())
    assert total == pytest.approx(110e6, rel=0.05)


def test_full_width_trains_a_step_on_a_processor() -> None:
    """The configuration for a GPU; here on 20 × 20 pixels, to see that it builds and learns."""
    resource = pytest.importorskip("resource", reason="Windows counts memory in another way")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = network(NetworkSettings(**es_mhc.FULL_WIDTH, **PLAIN), 16, 200).train()
    assert len(made.layers) == 6
    optimiser = torch.optim.Adam(made.parameters(), lr=3e-4)
    spectra, target = torch.rand(400, 200), torch.randint(0, 16, (400,))
    loss = functional.cross_entropy(made(spectra)[0], target)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())
    weight = made.layers[5].spatial.in_proj.weight
    old = weight.detach().clone()
    optimiser.step()
    assert float((weight - old).detach().abs().max()) > 0
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 3 << 20  # KB: three GB
