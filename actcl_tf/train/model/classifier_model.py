"""Encoders with a classifier on top, trained together with labels."""

import itertools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import frontends, two_tower
from actcl_tf.train.model import gradient_update, packed_logs, replicas
from actcl_tf.train.model import scalar_names as names

Batch = dict[str, tf.Tensor]


def stages(tower: two_tower.Tower) -> list[tf.keras.layers.Layer]:
    """The stem and the stages of a tower's backbone, lowest first."""
    return [tower.backbone.stem, *tower.backbone.stages]


class ClassifierModel(packed_logs.PackedLogsModel):
    """Backbones of one tower or two, dropout and a linear classifier; and the train step.

    Attributes:
      towers: modality -> Tower; frontend and backbone are used, the projection head is not.
      classifier: the linear layer on the features of all modalities, side by side.
      step: int64 variable, steps done.
    """

    def __init__(
        self,
        towers: Mapping[str, two_tower.Tower],
        num_classes: int,
        *,
        multi_label: bool = False,
        freeze: int = 0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        clip_norm: float = 0.0,
    ):
        """Puts a fresh classifier on towers that are already built.

        Args:
          towers: modality to its tower.
          num_classes: C.
          multi_label: whether a clip may have several labels.
          freeze: lowest stages of each backbone that stay as they are, their normalisation too.
          dropout: share of the features dropped in training.
          label_smoothing: share of each target that is spread over all classes.
          clip_norm: largest global gradient norm; 0 for no clipping.
        """
        super().__init__(name="classifier_model")
        self.towers = dict(towers)
        self._multi_label = multi_label
        self._dropout = dropout
        self._label_smoothing = label_smoothing
        self._clip_norm = clip_norm
        self._optimizers: list[tf.keras.optimizers.Optimizer] = []
        for tower in self.towers.values():
            tower.head.trainable = False
            for stage in stages(tower)[:freeze]:
                stage.trainable = False  # Its normalisations then keep to their moving statistics.
        width = sum(tower.backbone.num_features for tower in self.towers.values())
        self.classifier = tf.keras.layers.Dense(num_classes, dtype="float32", name="classifier")
        self.classifier.build([None, width])
        self.step = replicas.counter(0, "step")

    @property
    def depths(self) -> list[list[tf.Variable]]:
        """The trainable variables of the stem, of each stage and of the classifier.

        Stages count down from the classifier: an encoder of fewer has none at the lowest depths.
        """
        found = [[] for _ in range(config.NUM_STAGES)]
        for tower in self.towers.values():
            for variables, stage in zip(reversed(found), reversed(stages(tower)), strict=False):
                variables.extend(stage.trainable_variables)
        return [*found, self.classifier.trainable_variables]

    def compile_depths(self, optimizers: Sequence[tf.keras.optimizers.Optimizer]) -> None:
        """Compiles with an optimizer for each of `depths`, so that each has its learning rate."""
        for optimizer, variables in zip(optimizers, self.depths, strict=True):
            gradient_update.make_slots(optimizer, variables)
        self._optimizers = list(optimizers)
        self.compile(optimizer=self._optimizers[-1])

    def encode(self, batch: Batch, training: bool) -> tf.Tensor:
        """Features [B, d] float32 of all modalities side by side."""
        found = []
        for modality, tower in self.towers.items():
            inputs = tower.frontend(batch[modality], seeds=batch.get("seed"), training=training)
            found.append(tower.backbone(inputs, training=training))
        return tf.concat(found, axis=1)

    def call(self, batch: Batch, training: bool | None = None) -> tf.Tensor:
        """Logits [B, C] float32.

        Args:
          batch: modality to clips [B, ...]; in training also `seed` [B, 2] int32, one stateless
            seed a clip.
          training: whether to drop features, mask spectrograms and use statistics of the batch.
        """
        features = self.encode(batch, bool(training))
        if training and self._dropout:
            # A function of the clip's seed alone: the same on any number of replicas.
            draws = frontends.per_clip_uniforms(batch["seed"] + 1, features.shape[1])
            kept = tf.cast(draws >= self._dropout, tf.float32)
            features = features * kept / (1.0 - self._dropout)
        return self.classifier(features)

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One step of supervised training.

        Args:
          batch: this replica's clips: `video` uint8 [B, T, H, W, 3] and `audio` float32 [B, S] as
            far as there are towers, `target` int64 [B] or float32 [B, C], `seed` int32 [B, 2].

        Returns:
          Scalars of this step, float32, the same on every replica.
        """
        # Divided by the global batch, so that the sum over replicas is the mean.
        size = replicas.sum_over([tf.cast(tf.shape(batch["target"])[0], tf.float32)])[0]
        with tf.GradientTape() as tape:
            logits = self(batch, training=True)
            loss = tf.reduce_sum(self.losses(logits, batch["target"])) / size
            loss = tf.debugging.check_numerics(loss, "loss")
        depths = self.depths
        gradients = tape.gradient(loss, [v for variables in depths for v in variables])
        gradients, norm = gradient_update.sum_and_clip(gradients, self._clip_norm)
        rest = iter(gradients)
        for optimizer, variables in zip(self._optimizers, depths, strict=True):
            if variables:  # Not all of its stages are frozen.
                part = itertools.islice(rest, len(variables))
                gradient_update.apply_summed(optimizer, list(part), variables)
        with tf.control_dependencies([norm]):  # A step that fails does not count.
            self.step.assign_add(1)
        right = tf.reduce_sum(self._right(logits, batch["target"])) / size
        loss, right = replicas.sum_over([loss, right])
        return {names.LOSS: loss, names.CLASSIFIED_TOP1: right, names.GRADIENT_NORM: norm}

    def losses(self, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Cross-entropy [B] float32 of each clip, with smoothed targets.

        Softmax for class indices [B] int64; the mean over labels of the sigmoid's for [B, C].
        """
        num, smoothing = logits.shape[1], self._label_smoothing
        if self._multi_label:
            targets = targets * (1.0 - smoothing) + 0.5 * smoothing
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
            return tf.reduce_mean(each, axis=1)
        targets = tf.one_hot(targets, num) * (1.0 - smoothing) + smoothing / num
        return tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits)

    def probabilities(self, clips: Batch, crops: int) -> tf.Tensor:
        """Probabilities [B, C] float32, averaged over the windows of each clip.

        Args:
          clips: `video` [B, W * crops, T, H, W, 3] uint8 and `audio` [B, W, S] float32, as far as
            there are towers.
          crops: of each window's video; where there is audio, their features are averaged.
        """
        features = []
        for modality, tower in self.towers.items():
            windows = clips[modality]
            inputs = tower.frontend(tf.reshape(windows, [-1, *windows.shape[2:]]), training=False)
            encoded = tower.backbone(inputs, training=False)
            shape = [-1, windows.shape[1], encoded.shape[-1]]
            if modality == "video" and len(self.towers) > 1:
                shape[1:2] = [windows.shape[1] // crops, crops]
                features.append(tf.reduce_mean(tf.reshape(encoded, shape), axis=2))
            else:
                features.append(tf.reshape(encoded, shape))
        logits = self.classifier(tf.concat(features, axis=2))
        each = tf.sigmoid(logits) if self._multi_label else tf.nn.softmax(logits)
        return tf.reduce_mean(each, axis=1)

    def _right(self, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """[B] float32: whether what the clip has comes first."""
        first = tf.argmax(logits, axis=1)
        if self._multi_label:
            return tf.gather(targets, first, axis=1, batch_dims=1)
        return tf.cast(first == targets, tf.float32)
