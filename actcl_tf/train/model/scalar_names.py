"""The names of all scalars of a training: in TensorBoard, and the same in scalars.jsonl.

What comes before the first slash is the group that TensorBoard shows a scalar in:

  loss/             what is minimised
  contrast/         how queries, keys and negatives lie
  dictionary/       what the dictionaries hold
  optimiser/        the optimizer's settings and gradients
  input/            clips that were left out
  speed/            rates, waiting and memory
  eval/             scores on held-out clips
  classification/   of fine-tuning, which has no contrast
"""

LOSS = "loss/total"
TOP1 = "contrast/top1"
TOP5 = "contrast/top5"
BOUND = "contrast/mutual_information_bound"
POSITIVE = "contrast/similarity/positive"
NEGATIVE = "contrast/similarity/negative"
ALIGNMENT = "contrast/alignment"
UNIFORMITY = "contrast/uniformity"
TEMPERATURE = "contrast/temperature"
KEY_MOMENTUM = "contrast/key_momentum"
FILLED = "dictionary/filled"
PICKED = "dictionary/picked"
LEARNING_RATE = "optimiser/learning_rate"
GRADIENT_NORM = "optimiser/gradient_norm"
SKIPPED_STEPS = "optimiser/skipped_steps"
LOSS_SCALE = "optimiser/loss_scale"
SKIPPED_CLIPS = "input/skipped_clips"
STEPS_PER_SECOND = "speed/steps_per_second"
CLIPS_PER_SECOND = "speed/clips_per_second"
DATA_WAIT = "speed/data_wait_seconds"
RESIDENT = "speed/resident_gigabytes"
CLASSIFIED_TOP1 = "classification/top1"


def of(name: str, part: str) -> str:
    """The name of a scalar of one direction or one modality, such as "video_to_audio"."""
    return f"{name}/{part}"


def loss(direction: str) -> str:
    """The name of the loss of one direction."""
    return f"loss/{direction}"


def dictionary(modality: str, figure: str) -> str:
    """The name of a figure of what the dictionary of a modality is like."""
    return f"dictionary/{modality}/{figure}"


def evaluation(score: str) -> str:
    """The name of a score on held-out clips."""
    return f"eval/{score}"


def parts(name: str, scalars: dict[str, float]) -> list[float]:
    """The values of a name, such as `TOP1`, or of its directions or modalities."""
    return [v for found, v in scalars.items() if found == name or found.startswith(f"{name}/")]
