"""Layers and features that are computed in a way of their own: the same numbers as the plain way gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ml.models import create
from ml.models.cnn import LargerOfTwo
from ml.models.loop import Examples, LoopSettings, learn
from ml.models.recurrence import Recurrence
from ml.models.rocket import fit_rocket
from tests.ml.conftest import Waves, make_waves


@settings(deadline=None, max_examples=15)
@given(
    batch=st.integers(1, 4),
    length=st.integers(1, 9),
    channels=st.integers(1, 4),
    hidden=st.integers(1, 5),
    layers=st.integers(1, 3),
)
def test_the_recurrence_has_the_states_and_gradients_of_torchs_own(
    batch: int, length: int, channels: int, hidden: int, layers: int
) -> None:
    torch.manual_seed(batch * length + hidden)
    recurrence = Recurrence(channels, hidden=hidden, layers=layers, dropout=0.0).double()
    sequence = torch.randn(batch, length, channels, dtype=torch.double, requires_grad=True)
    weights = torch.randn(batch, 2 * hidden, dtype=torch.double)

    def results() -> list[torch.Tensor]:
        recurrence.zero_grad()
        sequence.grad = None
        states = recurrence(sequence)
        (states * weights).sum().backward()
        return [states.detach(), sequence.grad.clone(), *(tensor.grad.clone() for tensor in recurrence.parameters())]

    ours, torchs = results(), (recurrence.eval(), results())[1]
    for one, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@settings(deadline=None, max_examples=20)
@given(length=st.integers(2, 9), seed=st.integers(0, 99))
def test_the_larger_of_two_is_max_pooling_with_its_gradient(length: int, seed: int) -> None:
    features = torch.randn(2, 3, length, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    weights = torch.arange(6.0 * (length // 2)).view(2, 3, -1)
    gradients = []
    for pooling in (LargerOfTwo(), nn.MaxPool1d(2)):
        features.grad = None
        (pooling(features) * weights).sum().backward()
        gradients.append(features.grad.clone())
    assert torch.equal(LargerOfTwo()(features), nn.MaxPool1d(2)(features))
    assert torch.equal(*gradients)


def test_a_rocket_feature_is_the_share_of_samples_where_the_convolution_exceeds_its_bias(waves: Waves) -> None:
    rocket = fit_rocket(waves.signals, features=168, seed=3)
    found = rocket.transform(waves.signals[:2])
    assert found.shape == (2, len(rocket.biases))
    kernels = [
        [2.0 if tap in (a, b, c) else -1.0 for tap in range(9)]
        for a in range(9)
        for b in range(a + 1, 9)
        for c in range(b + 1, 9)
    ]
    feature = 0
    for number, dilation in enumerate(rocket.dilations):
        for which, kernel in enumerate(kernels):
            spread = np.zeros(8 * dilation + 1)
            spread[::dilation] = kernel
            for _ in range(rocket.biases_each[number]):
                if feature % 7 == 0:
                    for row in range(2):
                        summed = waves.signals[row][:, rocket.chosen[number, which]].sum(axis=1)
                        response = np.correlate(np.pad(summed, 4 * dilation), spread, mode="valid")
                        margin = 4 * dilation if (number + which) % 2 and 8 * dilation < len(summed) else 0
                        inside = response[margin : len(response) - margin]
                        assert found[row, feature] == pytest.approx(
                            (inside > rocket.biases[feature]).mean(), abs=1.01 / len(inside)
                        )
                feature += 1
    assert feature == len(rocket.biases)


def test_members_answer_with_the_mean_of_their_probabilities(waves: Waves) -> None:
    small = {"epochs": 2, "filters": 4}
    both = create("cnn", {**small, "members": 2, "random_state": 3}).fit(*waves)
    each = [create("cnn", {**small, "random_state": seed}).fit(*waves).predict_proba(waves.signals) for seed in (3, 4)]
    np.testing.assert_allclose(both.predict_proba(waves.signals), np.mean(each, axis=0), atol=1e-12)
    assert both.parameters_count_ == 2 * create("cnn", small).fit(*waves).parameters_count_


@pytest.mark.parametrize("change", [{"optimiser": "rmsprop"}, {"schedule": "plateau"}, {"mixup": 0.4}, {"label_smoothing": 0.2}])
def test_every_way_to_train_learns_and_is_another_way(change: dict[str, object], waves: Waves) -> None:
    usual = {"epochs": 12, "filters": 8, "patience": 12}
    plain, other = (create("cnn", {**usual, **more}).fit(*waves) for more in ({}, change))
    assert (other.predict(waves.signals) == waves.labels).mean() > 0.8
    assert not np.array_equal(plain.predict_proba(waves.signals), other.predict_proba(waves.signals))


def test_on_a_plateau_the_step_size_falls_to_a_tenth(waves: Waves) -> None:
    noise = np.random.default_rng(0).permutation(waves.labels)
    fitted = create("cnn", {"schedule": "plateau", "epochs": 40, "patience": 9, "filters": 8}).fit(
        waves.signals, noise, waves.groups
    )
    rates = [epoch["learning_rate"] for epoch in fitted.curves_[0]]
    assert rates[0] == 0.003
    assert min(rates) <= 0.0003 * 1.001


def test_weights_of_labels_change_what_a_rare_label_counts() -> None:
    waves = make_waves(240)
    rare = waves.part((waves.labels == "walk") | ((waves.labels == "squat") & (np.arange(240) % 16 == 1)))
    sure = [
        create("cnn", {"epochs": 3, "filters": 4, "validation": 0.0, "class_weights": how}).fit(*rare).predict_proba(rare.signals)
        for how in ("balanced", "none")
    ]
    assert sure[0][:, 0].mean() > sure[1][:, 0].mean()


def test_what_is_watched_steers_nothing(waves: Waves) -> None:
    small = {"epochs": 3, "filters": 4}
    alone = create("cnn", small).fit(*waves)
    watched = create("cnn", small).fit(*waves, watched=(waves.signals, np.full(len(waves.labels), "never taught")))
    assert np.array_equal(alone.predict_proba(waves.signals), watched.predict_proba(waves.signals))
    assert [epoch["watched_accuracy"] for epoch in watched.curves_[0]] == [0.0] * 3


def test_every_example_is_in_one_batch_of_a_pass_and_no_batch_has_a_single_one() -> None:
    seen: list[torch.Tensor] = []

    class Seeing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(2))

        def forward(self, signals: torch.Tensor) -> torch.Tensor:
            seen.append(signals[:, 0, 0])
            return self.bias.expand(len(signals), 2)

    plain = LoopSettings("adamw", 0.01, 0.0, "constant", 1, 1, 16, 0.0, 0.0, 0)
    learn(Seeing(), Examples(torch.arange(33.0).view(33, 1, 1), torch.arange(33) % 2), plain, class_weights=None)
    assert sorted(torch.cat(seen).tolist()) == list(range(33))
    assert {len(batch) for batch in seen} == {11}
