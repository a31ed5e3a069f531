"""CSSMamba: shapes, gradients of the selection, equality of paths, what the viewer gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.errors import WrongUse
from backends.hyperspectral.css_mamba import CssMamba, CssSettings
from backends.hyperspectral.features import PixelFeatures
from backends.hyperspectral.networks import Known
from backends.hyperspectral.spectral_branch import PartAttention

SMALL = {"width": 16, "blocks": 2, "clusters": 8, "context": 1, "dropout": 0.0}


VARIANTS = ("ours", "a", "b")


def network(**change: object) -> CssMamba:
    """Return a network; one with a prior has met the pixels of `spectra_of`."""
    torch.manual_seed(0)
    made = CssMamba(20, 4, CssSettings(**({"components": 0} | SMALL | change)))  # type: ignore[arg-type]
    if made.prior is not None:
        values = spectra_of(300).numpy()
        whole = PixelFeatures(values, None, np.zeros((300, 2), np.float32), np.ones(300, bool))
        taught = whole.take(np.arange(0, 300, 5))
        made.prepare(Known(taught, np.arange(60) % 4, whole, np.eye(20)))
        made.train()(spectra_of(300))  # the centres follow
    return made


def spectra_of(count: int) -> torch.Tensor:
    """Return pixels of five kinds."""
    drawn = torch.Generator().manual_seed(1)
    kinds = torch.rand(5, 20, generator=drawn)
    pick = torch.randint(5, (count,), generator=drawn)
    return kinds[pick] + 0.1 * torch.randn(count, 20, generator=drawn)


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_and_records(variant: str) -> None:
    made = network(variant=variant).eval()
    with torch.no_grad():
        logits, records = made(spectra_of(300), record=True)
    assert logits.shape == (300, 4)
    assert len(records) == 2
    for record in records:
        assert record.membership.shape == (300, 8)
        torch.testing.assert_close(record.membership.sum(1), torch.ones(300))
        assert bool((record.rank >= 0).all())
        assert bool((record.step > 0).all())
        assert record.fusion.sum().item() == pytest.approx(1)
        # the score is made of its two parts
        share = {"hybrid": record.share, "cluster": 0.0}[made.settings.selection]
        made_of = share * record.attention + (1 - share) * record.typical
        torch.testing.assert_close(record.score, made_of)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("selection", ["hybrid", "cluster", "attention"])
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_adts_receives_grad(variant: str, selection: str, kept: float) -> None:
    made = network(variant=variant, selection=selection, kept=kept).train()
    made.zero_grad()
    logits, _ = made(spectra_of(200))
    logits.square().mean().backward()  # the task alone, without the cluster loss
    branch = made.blocks[0].spatial
    attention = [branch.query.weight, branch.key.weight]
    groups = {
        "ours": lambda: [branch.clusters.centres, branch.clusters.log_temperature],
        "a": lambda: [branch.clusters.centres, branch.clusters.log_temperature],
        "b": lambda: [branch.clusters.mean.weight, branch.clusters.spread.weight],
    }[variant]()
    wanted = {
        "hybrid": [*attention, branch.balance, *groups],
        "cluster": groups,
        "attention": attention,
    }[selection]
    if variant == "a" and kept == 1 and selection != "attention":
        wanted.append(branch.importance)
    for value in wanted:
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("selection", ["hybrid", "cluster", "attention"])
def test_half_the_pixels_are_read(variant: str, selection: str) -> None:
    made = network(kept=0.5, variant=variant, selection=selection).eval()
    with torch.no_grad():
        _, records = made(spectra_of(200), record=True)
    assert int((records[0].rank >= 0).sum()) == 100


def test_a_reads_the_best_first_in_one_sequence() -> None:
    made = network(kept=0.5, variant="a").eval()
    with torch.no_grad():
        _, records = made(spectra_of(200), record=True)
    record = records[0]
    read = record.sequence >= 0
    assert set(record.sequence[read].tolist()) == {0}
    order = record.rank[read].argsort()
    assert bool((record.score[read][order].diff() <= 0).all())
    assert record.score[read].min() >= record.score[~read].max()


def test_a_weight_as_large_as_the_scene_does_no_harm() -> None:
    made = network(variant="a", selection="attention").train()
    with torch.no_grad():
        for block in made.blocks:
            block.spatial.query.weight.mul_(300)  # one pixel gets all the attention
    spectra = spectra_of(400)
    logits, records = made(spectra, record=True)
    assert records[0].attention.max() > 100
    logits.square().mean().backward()
    assert logits.abs().max() < 100
    assert made.embed.weight.grad.isfinite().all()


@pytest.mark.parametrize("pixels", [50, 2000])
def test_a_softmax_over_pixels_keeps_features_as_loud_as_they_were(pixels: int) -> None:
    """Weights that sum to one are 1 / pixels each: some 5e-5 at Indian Pines."""
    made = network(variant="a").eval()
    with torch.no_grad():
        _, records = made(spectra_of(pixels), record=True)
    for weights in (records[0].attention, records[0].typical):
        assert float(weights.mean()) == pytest.approx(1, abs=0.05)
    valid = torch.arange(pixels) % 2 == 0
    with torch.no_grad():
        _, records = made(spectra_of(pixels), valid=valid, record=True)
    assert float(records[0].attention[valid].mean()) == pytest.approx(1, abs=0.05)


def test_a_by_clusters_reads_as_many_of_each() -> None:
    made = network(kept=0.5, variant="a", selection="cluster", clusters=4).eval()
    with torch.no_grad():
        _, records = made(spectra_of(200), record=True)
    record = records[0]
    read = record.sequence >= 0
    share = 100 // 4
    for k in range(4):
        held = record.hard == k
        assert int((read & held).sum()) >= min(share, int(held.sum()))
    order = record.rank[read].argsort()
    assert bool((record.hard[read][order].diff() >= 0).all())  # cluster by cluster


@pytest.mark.parametrize("variant", ["a", "b"])
def test_lines_are_read_as_they_lie_in_the_scene(variant: str) -> None:
    made = network(variant=variant).eval()
    assert made.position
    spectra, order = spectra_of(60), torch.randperm(60)
    rows, cols = torch.meshgrid(torch.arange(6.0), torch.arange(10.0), indexing="ij")
    places = torch.stack([rows.ravel() / 5, cols.ravel() / 9], dim=1)
    with torch.no_grad():
        straight, records = made(spectra, places=places, record=True)
        shuffled, _ = made(spectra[order], places=places[order])
    torch.testing.assert_close(straight[order], shuffled, rtol=1e-4, atol=1e-4)
    if variant == "a":
        torch.testing.assert_close(records[0].rank, torch.arange(60) / 59)


def test_b_keeps_clusters_near_their_prior() -> None:
    made = network(variant="b").eval()
    spectra = spectra_of(300)
    with torch.no_grad():
        _, records = made(spectra, record=True)
        prior = made.blocks[0].spatial.clusters.prior(made.prior(spectra))
    sizes = torch.bincount(prior, minlength=8)
    held = torch.bincount(records[0].hard, minlength=8)
    assert bool((held <= torch.ceil(1.5 * sizes).clamp(min=1)).all())
    # least typical first
    for number in records[0].sequence.unique().tolist():
        mine = records[0].sequence == number
        score = records[0].score[mine][records[0].rank[mine].argsort()]
        assert bool((score.diff() >= 0).all())


def test_b_has_clusters_of_its_own_in_every_block() -> None:
    settings = CssSettings(variant="b", blocks=4, components=0, width=16, context=1)
    made = CssMamba(20, 4, settings)
    assert [len(block.spatial.readers) for block in made.blocks] == [50, 30, 20, 20]
    assert CssMamba(20, 4, CssSettings()).blocks[0].spatial.code.shape[0] == 8


def test_b_without_lines_reads_clusters_only() -> None:
    made = network(variant="b", raster=False)
    assert not hasattr(made.blocks[0].spatial, "lines")
    assert made(spectra_of(50))[0].isfinite().all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_scenes_are_not_clustered_as_one(variant: str) -> None:
    with pytest.raises(ValueError, match="of one scene"):
        network(variant=variant)(torch.rand(2, 30, 20))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_pixel_alone_and_pixels_without_data(variant: str) -> None:
    made = network(variant=variant).eval()
    with torch.no_grad():
        assert made(spectra_of(1))[0].isfinite().all()
        nothing = torch.zeros(30, dtype=torch.bool)
        assert made(spectra_of(30), valid=nothing)[0].isfinite().all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_gradient_path_gives_the_same_answer(variant: str) -> None:
    made = network(longest=16, variant=variant).eval()
    spectra = spectra_of(500)
    with torch.no_grad():
        quiet, _ = made(spectra)
    loud, _ = made(spectra)
    torch.testing.assert_close(quiet, loud.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kept", [1.0, 0.8])
def test_pixels_without_data_are_in_no_sequence(variant: str, kept: float) -> None:
    made = network(variant=variant, kept=kept).eval()
    valid = torch.arange(100) % 3 > 0
    with torch.no_grad():
        _, records = made(spectra_of(100), valid=valid, record=True)
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


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"variant": "c"}, "no variant called c"),
        ({"selection": "best"}, "no selection called best"),
        ({"spectral_attention": "much"}, "no spectral_attention called much"),
        ({"kept": 0.0}, "between 0 and 1"),
        ({"clusters": 1}, "2 and more"),
    ],
)
def test_settings_that_are_not_there_are_refused(setting: dict[str, object], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        CssSettings(**setting)  # type: ignore[arg-type]


def test_the_selection_of_a_variant() -> None:
    assert CssSettings().selection == CssSettings(variant="a").selection == "hybrid"
    assert CssSettings(variant="b").selection == "cluster"
    assert CssSettings(variant="b", selection="hybrid").selection == "hybrid"


@pytest.mark.parametrize("kind", ["none", "channel", "self", "hybrid", "light"])
def test_attention_along_the_spectrum(kind: str) -> None:
    made = network(spectral_attention=kind).train()
    spectra = spectra_of(60)
    valid = torch.arange(60) % 4 > 0
    logits, _ = made(spectra, valid=valid)
    logits.square().mean().backward()
    own = [v for n, v in made.blocks[0].spectral.named_parameters() if not n.startswith("scan.")]
    assert all(v.grad is not None and v.grad.isfinite().all() for v in own)
    assert sum(float(v.grad.abs().sum()) for v in own) > 0
    with torch.no_grad():
        before = made.eval()(spectra, valid=valid)[0]
        changed = torch.where(valid[:, None], spectra, spectra + 5)  # pixels without data
        after = made(changed, valid=valid)[0]
    if kind in ("channel", "light"):  # what all pixels weigh, they do not
        spectral = made.blocks[0].spectral
        x = torch.randn(60, 16)
        far = torch.where(valid[:, None], x, x + 9)
        torch.testing.assert_close(spectral(x, valid)[valid], spectral(far, valid)[valid])
    assert before.isfinite().all()
    assert after.isfinite().all()


def test_attention_among_parts_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    module = PartAttention(8)
    tokens = torch.randn(5, 4, 8)
    theirs = torch.nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(module.ask.weight)
        theirs.out_proj.weight.copy_(module.out.weight)
    torch.testing.assert_close(module(tokens), theirs(tokens, tokens, tokens)[0])
