"""The data frame holds what the trials hold; the trials are those of test_ledger's kind."""

from search.study.estimate import Estimate
from search.study.frame import trials_frame
from search.study.results import StudyResults, TrialRecord
from spaces.architecture import Architecture

KNOWN = Estimate(5.0, 4.0, 6.0, 1.5, 3060, 6)


def record(number, status, choices, psnr_db=None):
    return TrialRecord(
        number=number,
        index=number,
        status=status,
        reason=None,
        architecture=Architecture.of("unet_isp", choices),
        estimate=KNOWN,
        baseline=None,
        psnr_db=psnr_db,
        ssim=None,
        log2_score=None,
        curve=(),
        seconds={"total": 2.5},
        started=None,
        ended=None,
    )


def test_one_row_a_trial_and_one_column_a_choice(tiny_config):
    trials = (
        record(0, "complete", {"levels": 0}, 25.0),
        record(1, "infeasible", {"levels": 1, "width_1": 8}),
    )
    frame = trials_frame(StudyResults(tiny_config(), trials, ()))
    assert list(frame["status"]) == ["complete", "infeasible"]
    assert frame.loc[0, "psnr_db"] == 25.0
    assert frame.loc[1, "predicted_ms"] == 5.0
    assert frame["lpips"].isna().all()
    assert frame["psnr_db"].isna().tolist() == [False, True]
    assert frame["choice.levels"].tolist() == [0, 1]
    assert frame["choice.width_1"].isna().tolist() == [True, False]


def test_a_study_without_trials_gives_an_empty_frame(tiny_config):
    assert trials_frame(StudyResults(tiny_config(), (), ())).empty
