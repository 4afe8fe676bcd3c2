"""Learned encoders: causal, in the space of the item vectors, resumable, exported as they are."""

# What needs PyTorch is imported where it is known to be there.
# ruff: noqa: E402

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.common.onnx_model import open_session
from services.trainer.checkpoint import Checkpoint
from services.trainer.encoder_options import EncoderOptions
from services.trainer.ranking import quality_of, ranks_of
from services.trainer.sequences import examples_of
from tests.trainer.made import events_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: extra `train`")
from services.trainer.encoder_training import new_encoder, train_encoder
from services.trainer.export import export_encoder
from services.trainer.gru import GruBody
from services.trainer.sequence_encoder import EncoderUsers, SequenceEncoder, TrainingLog, mask_of
from services.trainer.timeline import Timeline

ITEMS = 30
OPTIONS = EncoderOptions(
    length=8, hidden=32, heads=2, blocks=1, dropout=0.1, learning_rate=3e-3, batch_size=16,
    epochs=6, patience=6,
)  # fmt: skip
KINDS = pytest.mark.parametrize("kind", ["sasrec", "gru"])


def cyclic(people: int = 80, steps: int = 15) -> Timeline:
    """After item i comes i + 7: the order says all, the set of items nothing."""
    generator = np.random.default_rng(0)
    starts = generator.integers(0, ITEMS, people)
    users = [p for _ in range(steps) for p in range(people)]
    items = [int(starts[p] + 7 * s) % ITEMS for s in range(steps) for p in range(people)]
    events = events_of(users, items, list(range(1, len(users) + 1)))
    return Timeline(events.users, events.items, events.times_us, np.ones(len(users)), ITEMS)


def table() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((ITEMS, 16)).astype(np.float32) * 0.2


def trained(
    options: EncoderOptions, checkpoint: Checkpoint | None = None, stop_after: int = 0
) -> tuple[SequenceEncoder, TrainingLog]:
    timeline = cyclic()
    cut = int(len(timeline) * 0.7)
    groups = timeline.groups(cut)
    counts = np.bincount(timeline.items, minlength=ITEMS)

    def validate(encoder: SequenceEncoder) -> float:
        users = EncoderUsers(encoder, table())
        return quality_of(ranks_of(timeline, groups, options.length, users, table())).ndcg

    def after(epoch: int, loss: float, validation: float) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    examples = examples_of(timeline, cut, options.length, options.objective)
    return train_encoder(table(), counts, examples, options, validate, checkpoint, after)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [("sasrec", "cross_entropy"), ("gru", "cross_entropy"), ("gru", "sampled"), ("gru", "bce")],
)
def test_it_learns_an_order(kind: str, loss: str) -> None:
    options = replace(OPTIONS, kind=kind, loss=loss, negatives=64, epochs=12, patience=12)
    if loss == "bce":
        # A uniform negative says less than a softmax over all does.
        options = replace(options, epochs=40, patience=40)
    _, log = trained(options)
    assert max(log.validations) > 0.8, "a bag of items cannot tell what comes next"
    assert log.validations[log.best_epoch - 1] == max(log.validations)


@KINDS
def test_a_place_sees_only_what_came_until_then(kind: str) -> None:
    torch.manual_seed(0)
    encoder = new_encoder(16, replace(OPTIONS, kind=kind)).eval()
    history = torch.randn(3, 8, 16)
    mask = torch.ones(3, 8)
    with torch.no_grad():
        every = encoder.all_places(history, mask)
        for place in range(8):
            # The same past, moved to the end behind padding, which is how it is served.
            past = torch.zeros(3, 8, 16)
            past[:, 7 - place :] = history[:, : place + 1]
            own = torch.zeros(3, 8)
            own[:, 7 - place :] = 1
            np.testing.assert_allclose(encoder(past, own), every[:, place], atol=2e-6)


@KINDS
def test_padding_is_not_read_and_nothing_gives_nothing(kind: str) -> None:
    torch.manual_seed(0)
    encoder = new_encoder(16, replace(OPTIONS, kind=kind)).eval()
    history, mask = torch.randn(4, 8, 16), torch.ones(4, 8)
    mask[:, :3] = 0
    mask[3] = 0
    dirty = history.clone()
    dirty[:, :3] = 99.0
    with torch.no_grad():
        clean = encoder(history * mask.unsqueeze(2), mask).numpy()
        np.testing.assert_allclose(encoder(dirty, mask).numpy(), clean, atol=1e-6)
    assert not clean[3].any(), "a user of whom nothing is known has no vector"
    np.testing.assert_allclose(np.linalg.norm(clean[:3], axis=1), 1, atol=1e-5)


def test_a_recurrent_encoder_goes_on_in_one_step() -> None:
    torch.manual_seed(0)
    body = GruBody(16, OPTIONS).eval()
    history = torch.randn(2, 8, 16)
    state = torch.zeros(2, OPTIONS.hidden)
    with torch.no_grad():
        whole = body(history, torch.ones(2, 8))
        for place in range(8):
            state = body.one_step(history[:, place], state)
            np.testing.assert_allclose(state, whole[:, place], atol=1e-6)


@KINDS
def test_the_exported_graph_does_the_same(kind: str) -> None:
    torch.manual_seed(3)
    encoder = new_encoder(16, replace(OPTIONS, kind=kind)).eval()
    histories = np.full((20, 8), -1)
    generator = np.random.default_rng(0)
    for row in range(20):
        own = generator.integers(0, ITEMS, row % 9)
        histories[row, 8 - len(own) :] = own
    exported = export_encoder(encoder, table(), histories)
    assert exported.difference < 1e-5
    # Another number of rows than it was exported with.
    padded = np.concatenate([table(), np.zeros((1, 16), np.float32)])
    more = np.concatenate([histories, histories])
    ordinals = torch.from_numpy(more)
    inputs = {"history": padded[more], "mask": mask_of(ordinals).numpy()}
    made = open_session(exported.model).run(["vector"], inputs)[0]
    with torch.no_grad():
        wanted = encoder(torch.from_numpy(padded[more]), mask_of(ordinals)).numpy()
    np.testing.assert_allclose(made, wanted, atol=1e-5)


@KINDS
def test_a_resumed_training_ends_with_the_same_bits(kind: str, tmp_path: Path) -> None:
    options = replace(OPTIONS, kind=kind)
    whole, log = trained(options)
    checkpoint = Checkpoint(tmp_path / "encoder", {"kind": kind})
    with pytest.raises(KeyboardInterrupt):
        trained(options, checkpoint, stop_after=3)
    resumed, resumed_log = trained(options, checkpoint)
    assert resumed_log == log
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_it_stops_when_it_gets_no_better() -> None:
    options = replace(OPTIONS, learning_rate=0.0, epochs=20, patience=3)
    _, log = trained(options)
    assert log.best_epoch == 1
    assert len(log.losses) == 4


@pytest.mark.parametrize("options", [replace(OPTIONS, kind="lstm"), replace(OPTIONS, loss="hinge")])
def test_unknown_choices_are_named(options: EncoderOptions) -> None:
    with pytest.raises(ValueError, match=r"no .* '(lstm|hinge)'; there are"):
        new_encoder(16, options)
