"""A table of settled cells says the same as counting its cells one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.history.preaggregated import Table

CELL = st.tuples(st.integers(0, 12), st.integers(0, 9), st.integers(-5, 5), st.integers(-5, 5))
BIG = 2**63  # hashes are unsigned: some of them are above the largest signed number


@settings(deadline=None)  # the first example compiles
@given(
    cells=st.lists(CELL, max_size=60),
    entities=st.sets(st.integers(0, 12), max_size=13),
    queries=st.lists(st.tuples(st.integers(-1, 12), st.integers(0, 10)), max_size=40),
    since=st.integers(0, 10),
)
def test_sums_and_facts_are_those_of_the_cells(cells, entities, queries, since):
    cells = sorted((entity, day, one, other) for entity, day, one, other in cells)
    columns = np.array(cells, np.int64).reshape(-1, 4).T
    hashes = np.array(sorted(entities), np.uint64) + np.uint64(BIG)
    table = Table(
        columns[0].astype(np.uint64) + np.uint64(BIG),
        columns[1],
        columns[1] / 2,
        (columns[2].cumsum(), columns[3].cumsum()),
    )
    queries = [(code, day) for code, day in queries if code < len(hashes)]
    code = np.array([code for code, _ in queries], np.int64)
    out = np.ones((len(queries), 2), np.int64)
    table.add_sums(out, hashes, code, np.array([day for _, day in queries], np.int64))
    names = sorted(entities)

    def total(code, day):
        own = [each[2:] for each in cells if code >= 0 and each[0] == names[code] and each[1] >= day]
        return [1 + sum(one for one, _ in own), 1 + sum(other for _, other in own)]

    assert out.tolist() == [total(*query) for query in queries]

    place, day, value, measures = table.facts(hashes, since)
    expected = [each for each in cells if each[0] in entities and each[1] >= since]
    assert [names[each] for each in place] == [each[0] for each in expected]
    assert day.tolist() == [each[1] for each in expected]
    assert value.tolist() == [each[1] / 2 for each in expected]
    assert measures.tolist() == [list(each[2:]) for each in expected]
