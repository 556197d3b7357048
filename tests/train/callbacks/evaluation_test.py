import pytest

from actcl_tf.train.callbacks import evaluation


@pytest.mark.parametrize(
    "scores, expected",
    [
        ({"retrieval/video_to_audio/mean_reciprocal_rank": 0.5}, 0.5),
        (
            {
                "retrieval/video_to_audio/mean_reciprocal_rank": 0.5,
                "retrieval/audio_to_video/mean_reciprocal_rank": 0.25,
                "retrieval/video_to_audio/r1": 1.0,
            },
            0.375,
        ),
    ],
)
def test_selection_score_is_the_mean_reciprocal_rank_over_directions(scores, expected):
    assert evaluation.selection_score(scores) == expected


@pytest.mark.parametrize("scores", [{}, {"probe/video/label/accuracy": 1.0}])
def test_selection_score_needs_a_retrieval(scores):
    with pytest.raises(ValueError, match="no mean_reciprocal_rank among the scores"):
        evaluation.selection_score(scores)
