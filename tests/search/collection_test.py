"""Exact search against sorting by hand and scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from actcl_tf.search import collection, store_writing
from actcl_tf.search.segments import AUDIO, VIDEO, Segment
from actcl_tf.search.store import Entry, Facts


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def build(folder, files, size):
    """Writes an index of files: name -> rows (start, video vector or None, audio vector)."""
    with store_writing.Writer(folder, Facts("d" * 16, "m", size, 1.0)) as writer:
        for name, segments in files.items():
            held = tuple(Segment(t, p is not None, s is not None) for t, p, s in segments)
            vectors = {
                VIDEO: np.reshape([p for _, p, _ in segments if p is not None], [-1, size]),
                AUDIO: np.reshape([s for _, _, s in segments if s is not None], [-1, size]),
            }
            root, _, name = name.rpartition("|")
            writer.append(Entry(root or "/r", name, 1, 1, held, {}), vectors)
        writer.commit()
    return collection.Collection(folder)


X, Y, D = np.eye(3, dtype=np.float32)
XY = unit(X + Y)
SMALL = {
    "a": [(0.0, X, Y), (1.0, Y, None)],
    "empty": [],
    "b": [(0.0, None, X), (1.0, XY, D), (2.0, -X, -X)],
}
HALF = 0.7071


@pytest.mark.parametrize(
    "options, expected",
    [
        (
            {},
            "a0 1.0 video, b0 1.0 audio, b1 0.7071 video, a1 0.0 video, b2 -1.0 video",
        ),
        ({"top_k": 2}, "a0 1.0 video, b0 1.0 audio"),
        ({"top_k": 1}, "a0 1.0 video"),
        ({"find": "video"}, "a0 1.0 video, b1 0.7071 video, a1 0.0 video, b2 -1.0 video"),
        # Equals come in the order of the index.
        ({"find": "audio"}, "b0 1.0 audio, a0 0.0 audio, b1 0.0 audio, b2 -1.0 audio"),
        ({"per_file": 1}, "a0 1.0 video, b0 1.0 audio"),
        ({"per_file": 1, "find": "audio", "top_k": 1}, "b0 1.0 audio"),
        ({"per_file": 2, "top_k": 3}, "a0 1.0 video, b0 1.0 audio, b1 0.7071 video"),
    ],
)
def test_small_collection(tmp_path, options, expected):
    hits = build(tmp_path, SMALL, 3).search(X, **options)
    assert ", ".join(
        f"{hit.name}{hit.start:.0f} {round(hit.score, 4)} {hit.modality}" for hit in hits
    ) == (expected)


def test_an_empty_collection_has_no_hits(tmp_path):
    held = build(tmp_path, {"empty": []}, 3)
    assert (held.num_segments, held.num_files, held.search(X)) == (0, 0, [])


def test_names_have_their_folder_where_there_are_several(tmp_path):
    one = build(tmp_path / "one", {"/r|a": [(0.0, X, X)], "/r|s/b": [(0.0, Y, Y)]}, 3)
    assert [hit.name for hit in one.search(X)] == ["a", "s/b"]
    two = build(tmp_path / "two", {"/r|a": [(0.0, X, X)], "/q|a": [(0.0, Y, Y)]}, 3)
    assert [hit.name for hit in two.search(X)] == ["/r/a", "/q/a"]
    assert [hit.path for hit in two.search(X)] == ["/r/a", "/q/a"]


def test_all_alike_keep_their_order(tmp_path):
    held = build(tmp_path, {f"{i:02d}": [(0.0, X, X)] for i in range(30)}, 3)
    assert [hit.name for hit in held.search(X, top_k=7)] == [f"{i:02d}" for i in range(7)]


@pytest.fixture(scope="module")
def random_collection(tmp_path_factory):
    """The collection, and (file, start, video, audio) of each of its segments."""
    rng = np.random.default_rng(3)
    files = {
        f"f{number}": [
            (
                float(time),
                unit(rng.normal(size=16)) if rng.random() < 0.8 else None,
                unit(rng.normal(size=16)),
            )
            for time in range(rng.integers(1, 40))
        ]
        for number in range(60)
    }
    rows = [(name, *segment) for name, segments in files.items() for segment in segments]
    return build(tmp_path_factory.mktemp("random"), files, 16), rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("find", collection.FIND)
def test_agrees_with_brute_force_in_numpy(random_collection, seed, find):
    held, rows = random_collection
    query = unit(np.random.default_rng(seed).normal(size=16))
    scores = []
    for name, start, video, audio in rows:
        used = {"video": [video], "audio": [audio], "any": [video, audio]}[find]
        cosines = [float(np.dot(each, query)) for each in used if each is not None]
        scores += [(max(cosines), name, start)] if cosines else []
    expected = sorted(scores, reverse=True)[:25]
    hits = held.search(query, find=find, top_k=25)
    assert [(hit.name, hit.start) for hit in hits] == [each[1:] for each in expected]
    np.testing.assert_allclose([h.score for h in hits], [e[0] for e in expected], atol=1e-6)


def test_agrees_with_scikit_learn(random_collection):
    held, rows = random_collection
    reference = NearestNeighbors(n_neighbors=20, metric="cosine").fit([row[3] for row in rows])
    for seed in range(5):
        query = unit(np.random.default_rng(100 + seed).normal(size=16))
        distances, places = reference.kneighbors(query[None])
        hits = held.search(query, find=AUDIO, top_k=20)
        assert [(h.name, h.start) for h in hits] == [rows[place][:2] for place in places[0]]
        np.testing.assert_allclose([h.score for h in hits], 1 - distances[0], atol=1e-6)


def test_a_limit_a_file_keeps_the_best_of_each(random_collection):
    held, rows = random_collection
    everything = held.search(rows[5][3], top_k=len(rows))
    limited = held.search(rows[5][3], top_k=len(rows), per_file=2)
    expected = []
    for hit in everything:
        if sum(each.path == hit.path for each in expected) < 2:
            expected.append(hit)
    assert limited == expected


def test_a_wrong_find_is_refused(random_collection):
    with pytest.raises(ValueError, match="find must be one of video, audio, any, got 'smell'"):
        random_collection[0].search(np.ones(16), find="smell")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.array([1, 0, 0]), r"vector \[3\] of floats and of length 1, got int64 \[3\]"),
        (np.array([1.0, 0.0]), r"got float64 \[2\]"),
        (np.array([[1.0, 0.0, 0.0]]), r"got float64 \[1, 3\]"),
        (np.array([3.0, 4.0, 0.0]), "got length 5: its scores would be no cosines"),
        (np.array([np.nan, 0.0, 0.0]), "got length nan"),
    ],
)
def test_a_query_that_gives_no_cosines_is_refused(tmp_path, query, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, SMALL, 3).search(query)
