from dataclasses import replace

import pytest


@pytest.fixture
def finals_of_uneven_seeds(make_results):
    """A study whose finals were run again with six seeds, which one finalist of two was not."""
    results = make_results(complete=4, finals=True)
    fewer = results.finalists()[1].architecture
    again = tuple(
        replace(run, seed=seed)
        for run in results.finals
        for seed in (2 + run.seed, 4 + run.seed)
        if run.architecture != fewer
    )
    return replace(results, finals=results.finals + again)
