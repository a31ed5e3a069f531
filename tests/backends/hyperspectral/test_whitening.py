"""Whitened spectra, the spectrum's own answer, and the choice of the square."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.hyperspectral.spectral_front import SpectralFront, disagreement
from backends.hyperspectral.whitening import choose_context, fit_whitening

BANDS, CLASSES = 30, 3


@pytest.fixture
def valley() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra whose classes differ little along a direction in which fields hardly vary."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, CLASSES, 900)
    light = rng.normal(size=(900, 1)) * np.linspace(1, 2, BANDS)
    told = np.zeros((CLASSES, BANDS))
    told[1, 4], told[2, 9] = 0.2, 0.2
    spectra = told[target] + light + 0.03 * rng.normal(size=(900, BANDS))
    return spectra.astype(np.float32), target, np.cov((spectra - told[target]).T)


def nearest(fit: object, spectra: np.ndarray) -> np.ndarray:
    distance = ((fit.apply(spectra)[:, None] - fit.means) ** 2).sum(axis=2)
    return distance.argmin(axis=1)


def test_what_varies_within_fields_no_longer_counts(valley: tuple) -> None:
    spectra, target, local = valley
    taught = np.concatenate([np.flatnonzero(target == k)[:12] for k in range(CLASSES)])
    plain = np.stack([spectra[taught][target[taught] == k].mean(0) for k in range(CLASSES)])
    raw = ((spectra[:, None] - plain) ** 2).sum(axis=2).argmin(axis=1)
    fit = fit_whitening(spectra[taught], target[taught], spectra, local, CLASSES, components=8)
    assert fit.weight.shape == (BANDS, 8)
    assert np.mean(raw == target) < 0.6
    assert np.mean(nearest(fit, spectra) == target) > 0.95


def test_a_class_of_one_pixel_and_a_class_of_none(valley: tuple) -> None:
    spectra, target, local = valley
    taught = np.array([np.flatnonzero(target == k)[0] for k in (0, 1)])
    fit = fit_whitening(spectra[taught], target[taught], spectra, local, CLASSES)
    assert fit.present.tolist() == [True, True, False]
    assert np.isfinite(fit.weight).all()
    front = SpectralFront(BANDS, fit.weight.shape[1], CLASSES)
    front.take(fit)
    answer = front.logits(front(torch.from_numpy(spectra)))
    assert (answer.argmax(1) != 2).all()


def test_means_move_towards_what_the_scene_shows(valley: tuple) -> None:
    spectra, target, local = valley
    taught = np.concatenate([np.flatnonzero(target == k)[:12] for k in range(CLASSES)])
    scene = spectra + np.float32(0.04) * np.eye(1, BANDS, 20, dtype=np.float32)
    arguments = (spectra[taught], target[taught], scene, local, CLASSES)
    still, moved = (fit_whitening(*arguments, rounds=r) for r in (0, 1))
    true = np.stack([still.apply(scene[target == k]).mean(0) for k in range(CLASSES)])
    assert np.abs(moved.means - true).sum() < np.abs(still.means - true).sum()


def test_the_square_is_chosen_by_strips_of_the_scene(valley: tuple) -> None:
    spectra, target, local = valley
    rng = np.random.default_rng(1)
    pick = np.arange(150)
    places = rng.random((150, 2)).astype(np.float32)
    blurred = spectra[rng.permutation(900)[:150]]
    assert choose_context({1: spectra[pick], 5: blurred}, target[pick], places, local) == 1
    assert choose_context({1: blurred, 5: spectra[pick]}, target[pick], places, local) == 5
    same = {1: spectra[pick], 3: spectra[pick], 5: spectra[pick]}
    assert choose_context(same, target[pick], places, local) == 1, "a tie goes to the smallest"


def test_disagreement_is_nothing_where_the_network_adds_nothing() -> None:
    spectral = torch.randn(40, CLASSES)
    assert float(disagreement(spectral, spectral)) == pytest.approx(0, abs=1e-6)
    assert float(disagreement(-spectral, spectral)) > 0.1
