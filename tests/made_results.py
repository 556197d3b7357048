"""Results made by hand, for the tests of what shows them."""

from actcl_tf.evaluate.results import results

CLASSES = ["cat", "dog|hound", "owl <b>"]


def measurement(features="trained", top1=0.8, low=0.7, high=0.9, folds=2, **changes):
    """A row of `folds` folds around a mean; with no interval where low is None."""
    spread = [(-1) ** k * 0.02 * (folds > 1) for k in range(folds)]
    if folds % 2:
        spread[-1] = 0.0
    made = [
        results.Fold(f"fold {k + 1}", 30, 12, {"top1": top1 + d, "top5": 1.0}, {"c": 0.1})
        for k, d in enumerate(spread)
    ]
    intervals = {} if low is None else {"top1": (low, high)}
    values = {
        "protocol": "linear",
        "features": features,
        "modality": "audio",
        "preprocessing": "l2",
        "label": "label",
        "subset": "",
        **changes,
    }
    return results.Measurement(
        results.name_of(**values),
        **values,
        folds=made,
        summary=results.summarise(made, intervals),
        chance={"top1": 0.4, "top5": 1.0},
        confusion=[[8, 1, 1], [0, 6, 2], [3, 0, 3]],
        per_class=[
            {"name": CLASSES[0], "count": 10, "score": 0.8},
            {"name": CLASSES[1], "count": 8, "score": 0.75},
            {"name": CLASSES[2], "count": 6, "score": 0.5},
        ],
        seconds=1.5,
    )


def result(*rows, name="run", digest="d1", **changes):
    """A result of some rows; of one, if none is given."""
    values = {
        "name": name,
        "checkpoint": {"kind": "run", "path": "runs/a", "digest": "c1", "step": 7},
        "data": {"path": "data/x", "digest": digest, "num_clips": 42, "streams": "audio"},
        "classes": {"label": CLASSES},
        "flags": {"protocol": "linear", "clips": 3},
        "versions": {"python": "3.11"},
        "seeds": [0],
        "seconds": {"features": 2.0},
        "measurements": list(rows) or [measurement()],
    }
    return results.Result(**{**values, **changes})
