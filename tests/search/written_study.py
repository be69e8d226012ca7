"""Studies as drivers store them, in a folder of runs, without any training."""

import pytest
from tiny_study import tiny_study

from search.config import parse_config
from search.study.job import Trained
from search.study.ledger import Ledger
from search.study.storage import create_or_resume, leave_url


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


class Written:
    """A study as its driver stores it, step by step, but with PSNRs of chance: nothing is
    trained."""

    def __init__(self, config, url=None):
        self.config = config
        if url is not None:
            self.config = config.model_copy(update={"storage": url})
        self.study = create_or_resume(self.config)
        leave_url(self.config)
        self.ledger = Ledger(self.study, self.config, self.config.sampling_context())

    def begin(self):
        """The next candidate, in training."""
        while True:
            asked = self.ledger.ask()
            known = self.config.sampling_context().estimate(asked.architecture)
            if self.ledger.judge(asked, known) is None:
                return asked, known

    def end(self, asked, known):
        psnr_db = 25.0 + asked.index
        seconds = {"total": 2.0, "cpu": 1.5}
        outcome = Trained("", ((6, psnr_db),), psnr_db, 0.8, None, 1000, seconds)
        return self.ledger.trained_ok(asked.trial, known, outcome)

    def trials(self, count):
        for _ in range(count):
            self.end(*self.begin())


@pytest.fixture
def written(runs):
    """Stores a study in the runs."""

    def make(name="tiny", trials=0, url=None, **changes):
        document = tiny_study(name, {"finals": None, **changes}, output=str(runs))
        study = Written(parse_config(document, "test"), url)
        study.trials(trials)
        return study

    return make
