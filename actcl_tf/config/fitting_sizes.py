"""Sizes of batch and dictionary that a few training clips can fill."""

MIN_CLIPS = 4  # Fewer give no batch of two with a dictionary as large.
_CLIPS_PER_BATCH_CLIP = 5  # As in configs/pretrain.cfg: a dictionary of four batches.


def fitting_sizes(
    num_clips: int, *, batch_size: int, dictionary_size: int
) -> tuple[int, int] | None:
    """The sizes that were asked for, made smaller until the clips are enough for them.

    A dictionary that is picked out of a pool, which holds each clip once, needs
    dictionary_size + batch_size clips.

    Args:
      num_clips: of the training split.
      batch_size: that was asked for.
      dictionary_size: that was asked for, at least `batch_size`.

    Returns:
      (batch_size, dictionary_size), the batch a power of two and the dictionary a multiple of it
      where they had to be changed; None with fewer than `MIN_CLIPS` clips.
    """
    if num_clips >= batch_size + dictionary_size:
        return batch_size, dictionary_size
    if num_clips < MIN_CLIPS:
        return None
    share = num_clips // _CLIPS_PER_BATCH_CLIP
    batch = batch_size if batch_size <= share else max(2, largest_power_of_two(share))
    batch = min(batch, batch_size)
    return batch, min(dictionary_size, (num_clips - batch) // batch * batch)


def largest_power_of_two(most: int) -> int:
    """The largest power of two that is at most `most`, or 1."""
    return 1 << max(most.bit_length() - 1, 0)
