"""Scorers that must not be used: whatever would make the runtime read files by path."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from services.common.onnx_model import SCORER, affine_of, open_session
from services.common.ranking.features import FEATURES
from services.common.ranking.scorer import Scorer, UnusableScorerError, scores_or_nan
from services.feedback.generations.domain.bootstrap_models import prior_scorer
from services.feedback.learner.model.outcome_definition import OutcomeDefinition
from services.trainer import scorer as trained
from tests.ranker.generations import ADDED, scorer_model


def external() -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def graph_with_external() -> GraphProto:
    return helper.make_graph([], "inner", [], [], [external()])


def initializer(model: ModelProto) -> None:
    model.graph.initializer.append(external())


def unmarked_initializer(model: ModelProto) -> None:
    tensor = external()
    tensor.ClearField("data_location")
    model.graph.initializer.append(tensor)


def sparse_initializer(model: ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(external())


def sparse_indices(model: ModelProto) -> None:
    model.graph.sparse_initializer.add().indices.CopyFrom(external())


def constant(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=external()))


def list_attribute(model: ModelProto) -> None:
    node = model.graph.node.add(op_type="Custom")
    node.attribute.append(helper.make_attribute("tensors", [external()]))


def subgraph(model: ModelProto) -> None:
    model.graph.node.append(
        helper.make_node(
            "If", ["condition"], ["y"],
            then_branch=graph_with_external(), else_branch=helper.make_graph([], "e", [], []),
        )
    )  # fmt: skip


def function(model: ModelProto) -> None:
    node = helper.make_node("Constant", [], ["c"], value=external())
    model.functions.append(
        helper.make_function("own", "f", [], ["c"], [node], [helper.make_opsetid("", 17)])
    )


def training(model: ModelProto) -> None:
    model.training_info.add().initialization.CopyFrom(graph_with_external())


PLACES = (
    initializer, unmarked_initializer, sparse_initializer, sparse_indices, constant,
    list_attribute, subgraph, function, training,
)  # fmt: skip


@pytest.mark.parametrize("put", PLACES)
def test_external_data_is_refused_wherever_it_is(put: Callable[[ModelProto], None]) -> None:
    model = ModelProto.FromString(scorer_model())
    put(model)
    with pytest.raises(UnusableScorerError, match="external data"):
        Scorer(model.SerializeToString(), FEATURES, ("positive",))


def test_what_is_opened_is_what_was_checked() -> None:
    """The runtime takes "ORTM" at byte 4 for a format of its own, which the check cannot read."""
    field_that_no_parser_knows = b"\xc2\x3e\x85\x00" + b"ORTM" + b"x"
    session = open_session(field_that_no_parser_knows + scorer_model())
    assert [one.name for one in session.get_inputs()] == ["features"]


def test_a_sound_scorer_adds_its_features() -> None:
    features = np.arange(2 * len(FEATURES), dtype=np.float32).reshape(2, -1)
    scores = Scorer(scorer_model(), FEATURES, ("positive",)).scores(features)
    assert scores[:, 0].tolist() == features[:, ADDED].sum(axis=1).tolist()


def test_a_scorer_that_fails_gives_no_scores_and_stops_no_slate() -> None:
    scorer = Scorer(scorer_model(), FEATURES, ("positive",))
    scores = scores_or_nan(scorer, np.zeros((3, len(FEATURES) + 1), np.float32))
    assert scores.shape == (3, 1)
    assert np.isnan(scores).all()


OUTCOMES = tuple(
    OutcomeDefinition(name, frozenset(), None, weight)
    for name, weight in (("buy", 1.0), ("view", 0.5), ("hide", -1.0))
)


def trained_scorer() -> bytes:
    chance = np.random.default_rng(1)
    return trained.scorer_model(
        trained.LinearScorer(*(chance.normal(0, 1, n) for n in (len(FEATURES), 3, 3)))
    )


@pytest.mark.parametrize("model", [scorer_model(), prior_scorer(OUTCOMES), trained_scorer()])
def test_what_harken_makes_is_known_to_be_a_matrix(model: bytes) -> None:
    """The oracle is the runtime."""
    affine = affine_of(model, SCORER)
    assert affine is not None
    features = np.random.default_rng(2).normal(0, 3, (500, len(FEATURES))).astype(np.float32)
    [expected] = open_session(model).run(["scores"], {"features": features})
    found = features.astype(np.float64) @ affine.weights.T + affine.offsets
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def alpha(model: ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.5))


def more_nodes(model: ModelProto) -> None:
    model.graph.node[0].output[0] = "sums"
    model.graph.node.append(helper.make_node("Sigmoid", ["sums"], ["scores"]))


def another_operator(model: ModelProto) -> None:
    del model.graph.node[:]
    for kind, *names in (("MatMul", "features", "weights", "sums"), ("Div", "sums", "sums")):
        model.graph.node.append(helper.make_node(kind, names, ["scores"]))
    model.graph.node[0].output[0] = "sums"
    del model.graph.node[0].input[2:]


def of_a_domain_of_its_own(model: ModelProto) -> None:
    model.graph.node[0].domain = "com.example"


def the_other_way_round(model: ModelProto) -> None:
    model.graph.node[0].input[:] = ["weights", "features"]


def weights_that_are_given(model: ModelProto) -> None:
    del model.graph.initializer[:]


def offsets_by_row(model: ModelProto) -> None:
    model.graph.node[0].input.append("offsets")
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((3, 1), np.float32), "offsets"))


def doubles(model: ModelProto) -> None:
    weights = numpy_helper.to_array(model.graph.initializer[0]).astype(np.float64)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))


def another_of_one_name(model: ModelProto) -> None:
    weights = np.full((len(FEATURES), 3), 7, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))


def a_segment(model: ModelProto) -> None:
    model.graph.initializer[0].segment.end = 4


@pytest.mark.parametrize("change", [another_of_one_name, a_segment])
def test_what_the_runtime_reads_its_own_way_scores_as_it_says(
    change: Callable[[ModelProto], None],
) -> None:
    """Both pass the check of what is published; the oracle is the runtime, which takes the first of
    two of one name, or, where they are small, the last.
    """
    model = ModelProto.FromString(scorer_model(outcomes=3))
    change(model)
    scorer = Scorer(model.SerializeToString(), FEATURES, ("buy", "view", "hide"))
    features = np.random.default_rng(2).normal(0, 3, (9, len(FEATURES))).astype(np.float32)
    if scorer.affine is not None:
        found = features @ scorer.affine.weights.T + scorer.affine.offsets
        np.testing.assert_allclose(found, scorer.scores(features), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        alpha, more_nodes, another_operator, of_a_domain_of_its_own, the_other_way_round,
        weights_that_are_given, offsets_by_row, doubles,
    ],
)  # fmt: skip
def test_of_other_models_nothing_is_known(change: Callable[[ModelProto], None]) -> None:
    model = ModelProto.FromString(scorer_model(outcomes=1))
    change(model)
    assert affine_of(model.SerializeToString(), SCORER) is None


def test_of_a_model_without_nodes_nothing_is_known() -> None:
    assert affine_of(ModelProto().SerializeToString(), SCORER) is None
