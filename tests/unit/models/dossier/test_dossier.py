"""What MLflow shows of a run."""

from dataclasses import replace

from tests.support import candidates


def test_a_bag_is_named_where_there_is_one_and_no_run_before_it_is_at_odds():
    made = candidates.dossier()
    assert "bag" not in made.params()
    training = made.model.training.model_copy(update={"further_rounds": (9, 11)})
    bagged = replace(made, model=replace(made.model, training=training))
    assert {name: bagged.params()[name] for name in ("bag", "rounds")} == {"bag": 3, "rounds": training.rounds}
