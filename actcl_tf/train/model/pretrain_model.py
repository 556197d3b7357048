"""The train step of cross-modal active contrastive coding."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import gradient_embeddings, losses, momentum
from actcl_tf.contrast.dictionary import KeyBatch
from actcl_tf.train.model import (
    diagnosis,
    dictionaries,
    encoding,
    gradient_update,
    packed_logs,
    replicas,
    scalar_names,
    step_scalars,
)
from actcl_tf.train.model.encoding import DIRECTIONS, MODALITIES, Encoded, Keys


class PretrainModel(packed_logs.PackedLogsModel):
    """Query and key towers of both modalities, their dictionaries and pools, and the train step.

    Attributes:
      query_towers: modality -> Tower trained by backpropagation (f).
      key_towers: modality -> Tower that follows by momentum (h); never sees a gradient.
      dictionaries: modality -> Dictionary of that modality's keys; empty for in_batch.
      shards_pools: whether each replica keeps another part of the pools.
      step: int64 variable, steps done.
      pool_epoch: int64 variable, the epoch that --pool=epoch drew the pools for; -1 before.
    """

    def __init__(
        self,
        query_towers: dict[str, tf.keras.Model],
        key_towers: dict[str, tf.keras.Model],
        contrast: config.ContrastConfig,
        train: config.TrainConfig,
        augment: Callable[[dict], dict] = dict,
    ):
        """Joins towers that are already built; the key towers take over the queries' weights.

        Args:
          query_towers: "video" and "audio" towers.
          key_towers: two more of the same structure.
          contrast: where negatives come from, and what is contrasted.
          train: size of the global batch, number of steps, clipping, and the seed of the sampling.
          augment: batch -> augmented batch, done first on the device.
        """
        super().__init__(name="pretrain_model")
        self.distribute_reduction_method = "first"  # `fit` would add up what is the same on all.
        self._contrast = contrast
        self._train = train
        self._shuffles = (
            train.shuffle_batch_norm and tf.distribute.get_strategy().num_replicas_in_sync > 1
        )
        self.augment = augment
        self._directions = DIRECTIONS[contrast.contrast]
        self.query_towers = query_towers
        self.key_towers = key_towers
        for modality in MODALITIES:
            # The key towers stay `trainable`: Keras would freeze their batch normalisation, which
            # has to run on batch statistics. They get no gradient since no tape watches them.
            key_towers[modality].set_weights(query_towers[modality].get_weights())
        self.shards_pools = dictionaries.shards_pools(contrast)
        self.dictionaries = dictionaries.build_dictionaries(contrast, query_towers)
        self.step = replicas.counter(0, "step")
        self.pool_epoch = replicas.counter(-1, "pool_epoch")

    def compile(self, *args: Any, **options: Any) -> None:
        """As of Keras; with loss scaling, the steps that it skips are counted."""
        super().compile(*args, **options)
        self._loss_scaling = gradient_update.LossScaling(self.optimizer)
        if self._loss_scaling.skipped_steps is not None:
            self.skipped_steps = self._loss_scaling.skipped_steps  # Into checkpoints.

    @property
    def query_variables(self) -> list[tf.Variable]:
        """What the optimizer trains: the trainable variables of both query towers."""
        return encoding.trainable_variables(self.query_towers)

    def call(self, batch: dict[str, tf.Tensor], training: bool | None = None) -> dict:
        """Query embeddings, modality -> [B, D] float32 unit vectors."""
        seeds = batch.get("seed")
        return {
            modality: self.query_towers[modality](
                batch[modality], seeds=seeds, training=training
            ).embedding
            for modality in MODALITIES
        }

    # AutoGraph has nothing to convert here, and seconds to look for it.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of the method.

        Args:
          batch: this replica's clips: video uint8 [B, T, H, W, 3], audio float32 [B, S], clip_id
            int64 [B], label int64 [B] (for diagnostics alone), seed int32 [B, 2]; key_video and
            key_audio too where two views are used. B may differ between replicas and from step to
            step (a short last batch).

        Returns:
          Scalars of this step, float32, the same on every replica.
        """
        batch = self.augment(batch)
        # 1. Queries on the tape, and keys, of this replica's clips and of the global batch.
        own, everyone, backpropagate = self.encode(batch)
        # 2. and 3. Candidates that are uncertain and diverse enter the dictionaries.
        sampling = self.sample_negatives(everyone.queries)
        # 4. The loss of the queries, against their own keys and the dictionaries.
        results, query_gradient = self.contrastive_losses(own, everyone)
        figures = self.diagnose(everyone, sampling)
        # 5. The optimizer's step on f, the momentum update of h, and the batch enters the pools.
        gradient_norm = self.update_query_encoders(backpropagate(query_gradient))
        key_momentum = self.update_key_encoders()
        self.remember(own, everyone)
        with tf.control_dependencies([gradient_norm]):  # A step that fails does not count.
            self.step.assign_add(1)
        num_clips = tf.shape(everyone.ids)[0]
        scalars = step_scalars.summarise(results, self.dictionaries, sampling, num_clips)
        scalars.update(figures)
        scalars[scalar_names.GRADIENT_NORM] = gradient_norm
        scalars[scalar_names.KEY_MOMENTUM] = key_momentum
        scalars.update(self._loss_scaling.scalars())
        if "data_wait" in batch:
            scalars["data_wait"] = tf.reduce_mean(batch["data_wait"])
        return scalars

    def encode(
        self, batch: dict[str, tf.Tensor]
    ) -> tuple[Encoded, Encoded, encoding.Backpropagate]:
        """Step 1: queries and keys of this replica's clips, and of the global batch.

        Returns:
          This replica's clips, the global batch, and a function that leads a gradient with respect
          to the replica's queries back to `query_variables`.
        """
        ids, labels = batch["clip_id"], batch["label"]
        batch_ids, batch_labels = replicas.gather(ids), replicas.gather(labels)
        keys, batch_keys = self.encode_keys(batch)
        queries, backpropagate = encoding.encode_queries(
            self, self.query_towers, batch, self._train.accumulate_steps
        )
        batch_queries = {m: replicas.gather(queries[m]) for m in MODALITIES}
        own = Encoded(ids, labels, keys, queries)
        return own, Encoded(batch_ids, batch_labels, batch_keys, batch_queries), backpropagate

    def encode_keys(self, batch: dict[str, tf.Tensor]) -> tuple[dict[str, Keys], dict[str, Keys]]:
        """Step 1, keys: modality -> those of this replica's clips, and of the global batch."""
        shuffle_seed = self._fold_in(self._step(), 1) if self._shuffles else None
        return encoding.encode_keys(
            self.key_towers,
            batch,
            on_batch_statistics=self._contrast.key_statistics == "batch",
            num_parts=self._train.accumulate_steps,
            shuffle_seed=shuffle_seed,
        )

    def sample_negatives(self, queries: dict[str, tf.Tensor]) -> dict[str, diagnosis.Sampling]:
        """Steps 2 and 3: picks keys out of the pools into the dictionaries.

        Args:
          queries: modality -> [M, D], of the global batch.

        Returns:
          Modality -> what its dictionary took in and why; empty where there is no pool.
        """
        sampling = {}
        if not self._contrast.uses_pool:
            return sampling
        sees_by_keys = self._contrast.gradient_encoder == "key"
        towers = self.key_towers if sees_by_keys else self.query_towers
        served = {key: query for query, key in reversed(self._directions)}
        for index, modality in enumerate(MODALITIES):
            kernel, *affine = towers[modality].head.last_layer_affine()
            # Each replica has moving statistics of its own; picks need the same ones.
            layer = gradient_embeddings.LastLayer(kernel, *replicas.mean_over(affine))
            seed = self._fold_in(2 * self._step() + index, 0)
            sampled = self.dictionaries[modality].sample(
                queries[served[modality]], layer, self._train.batch_size, seed
            )
            sampling[modality] = diagnosis.Sampling(sampled, layer, queries[served[modality]])
        return sampling

    def contrastive_losses(
        self, own: Encoded, everyone: Encoded
    ) -> tuple[dict[str, losses.InfoNCE], dict[str, tf.Tensor]]:
        """Step 4: InfoNCE in each direction, against the dictionary or the global batch.

        Returns:
          "video_to_audio" and so on -> InfoNCE of this replica's queries; and modality -> gradient
          of their part of the (scaled) loss with respect to these queries, [B, D].
        """
        results, loss = {}, 0.0
        with tf.GradientTape() as tape:
            tape.watch(own.queries)
            for query, key in self._directions:
                if self._contrast.uses_dictionary:
                    queue = self.dictionaries[key].queue
                    negatives, ids = queue.columns["keys"].read_value(), queue.ids.read_value()
                else:
                    negatives, ids = everyone.keys[key].keys, everyone.ids
                result = losses.info_nce(
                    own.queries[query],
                    own.keys[key].keys,
                    negatives,
                    losses.negative_mask(own.ids, ids),
                    temperature=self._contrast.temperature,
                )
                results[f"{query}_to_{key}"] = result
                loss += result.loss
            # Divided by the global batch, so that the sum over replicas is the mean.
            loss = tf.reduce_sum(loss) / tf.cast(tf.shape(everyone.ids)[0], tf.float32)
            loss = self._loss_scaling.scale(tf.debugging.check_numerics(loss, "loss"))
        return results, tape.gradient(loss, own.queries)

    def update_query_encoders(self, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Step 5: the optimizer's step; returns the global norm of the whole gradient.

        Args:
          gradients: of this replica's part of the loss, for each of `query_variables`.
        """
        return self._loss_scaling.update(gradients, self.query_variables, self._train.clip_norm)

    def update_key_encoders(self) -> tf.Tensor:
        """Step 5: the momentum update of the key encoders; returns the momentum."""
        value = momentum.momentum_at(
            self.step.read_value(),
            self._contrast.key_momentum,
            self._contrast.key_momentum_schedule,
            self._train.steps,
        )
        for modality in MODALITIES:
            key, query = self.key_towers[modality], self.query_towers[modality]
            momentum.update_key_encoder(key.trainable_variables, query.trainable_variables, value)
            if self._contrast.key_statistics == "moving":
                momentum.update_key_statistics(
                    key.non_trainable_variables, query.non_trainable_variables, value
                )
        return value

    def diagnose(
        self, everyone: Encoded, sampling: dict[str, diagnosis.Sampling]
    ) -> dict[str, tf.Tensor]:
        """Figures of the dictionaries as this step uses them; NaN at steps whose turn it is not."""
        return diagnosis.diagnose(
            self.dictionaries,
            sampling,
            everyone,
            self._directions,
            every=self._train.diagnostics_every,
            temperature=self._contrast.temperature,
            sampler_temperature=self._contrast.sampler_temperature,
            gradient_space=self._contrast.gradient_space,
            step=self.step.read_value(),
        )

    def remember(self, own: Encoded, everyone: Encoded) -> None:
        """Step 5: the batch's keys enter the pools (moco: the dictionaries), after sampling.

        Args:
          own: this replica's clips, which are all that its part of a sharded pool takes in.
          everyone: the global batch.
        """
        if self._contrast.uses_pool and self._contrast.pool == "epoch":
            return  # The pool is redrawn at the start of every epoch instead.
        self._remember(own, everyone)

    @tf.autograph.experimental.do_not_convert
    def fill_pools_step(self, batch: dict[str, tf.Tensor]) -> None:
        """Encodes a batch with the key encoders into the pools and trains nothing."""
        batch = self.augment(batch)
        keys, batch_keys = self.encode_keys(batch)
        own = Encoded(batch["clip_id"], batch["label"], keys, {})
        ids, labels = replicas.gather(own.ids), replicas.gather(own.labels)
        self._remember(own, Encoded(ids, labels, batch_keys, {}))

    def _remember(self, own: Encoded, everyone: Encoded) -> None:
        clips, seen = (own, everyone.ids) if self.shards_pools else (everyone, None)
        born = tf.fill(tf.shape(clips.ids), self.step.read_value())
        for modality, target in self.dictionaries.items():
            target.remember(KeyBatch(clips.ids, *clips.keys[modality], clips.labels, born), seen)

    def _step(self) -> tf.Tensor:
        return tf.cast(self.step.read_value(), tf.int32)

    def _fold_in(self, number: tf.Tensor, data: int) -> tf.Tensor:
        """A stateless seed [2] of this run's seed and a number."""
        return tf.random.experimental.stateless_fold_in([self._train.seed, number], data)
